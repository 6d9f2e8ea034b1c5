/** One schedule: when it is due, what it ran, and its form. */
import { api } from '@/api/client'
import type { Schedule as ScheduleOf } from '@/api/contract'
import { ApiError } from '@/api/errors'
import { keys } from '@/api/keys'
import { mayChange, useSession } from '@/shell/session'
import { Unsaved } from '@/shell/unsaved'
import { Badge, Button, buttonClass, Card, Confirm, EmptyState, ErrorNote, Prose, Screen, Skeleton, Tabs, TimeAgo, toast } from '@/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { Buttons } from './Buttons'
import { NextTimes } from './NextTimes'
import { Runs } from './Runs'
import { ScheduleForm } from './ScheduleForm'
import { wordsOf } from './times'
import { changesOf, type ScheduleValues, valuesOf } from './values'

export default function Schedule() {
  const { scheduleId } = useParams({ strict: false }) as { scheduleId: string }
  const found = useQuery({ queryKey: keys.schedule(scheduleId), queryFn: ({ signal }) => api.get<{ job: ScheduleOf }>(`/api/v1/jobs/${encodeURIComponent(scheduleId)}`, { signal }) })
  if (found.error instanceof ApiError && found.error.status === 404) {
    return <Screen title="Schedule"><EmptyState icon="waiting" title="This schedule is not there." action={<Link to="/schedules" className={buttonClass()}>All schedules</Link>}>It was deleted, or you may not see it.</EmptyState></Screen>
  }
  if (!found.data) {
    return <Screen title="Schedule">{found.error ? <ErrorNote what="The schedule could not be loaded." error={found.error} onRetry={() => void found.refetch()} /> : <Skeleton label="Loading the schedule" lines={9} />}</Screen>
  }
  return <Loaded key={scheduleId} schedule={found.data.job} />
}

function Loaded({ schedule }: { schedule: ScheduleOf }) {
  const may = mayChange(useSession(), schedule.repo_id ?? undefined)
  const navigate = useNavigate()
  const { show } = useSearch({ from: '/shell/schedules/$scheduleId' })
  const tabs = [
    { id: 'runs', title: 'Runs', content: <Overview schedule={schedule} /> },
    ...(may ? [{ id: 'change', title: 'Change', content: <Change schedule={schedule} /> }] : []),
  ]
  return (
    <Screen title={schedule.name} actions={may && <><Buttons schedule={schedule} /><Delete schedule={schedule} /></>}>
      <Tabs label="Views of this schedule" tabs={tabs} value={tabs.some(({ id }) => id === show) ? (show as string) : 'runs'} onChange={(id) => void navigate({ to: '.', replace: true, search: id === 'runs' ? {} : { show: id } })} />
    </Screen>
  )
}

function Overview({ schedule }: { schedule: ScheduleOf }) {
  return (
    <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,1fr)_22rem]">
      <Runs schedule={schedule} />
      <div className="flex flex-col gap-4 max-lg:order-first">
        <Card title="Next">
          {schedule.next_runs.length > 0
            ? <NextTimes times={schedule.next_runs} zone={schedule.timezone} label="The next times" />
            : <p className="flex items-center gap-2 text-sm text-muted"><Badge tone="wait" icon="waiting">Paused</Badge>It runs only by hand.</p>}
        </Card>
        <Card title="About">
          <div className="flex flex-col gap-2 text-sm">
            {schedule.description && <Prose text={schedule.description} />}
            <p className="first-letter:uppercase">{wordsOf(schedule.cron_expression) && <>{wordsOf(schedule.cron_expression)}: </>}<code>{schedule.cron_expression}</code> in {schedule.timezone}</p>
            <p className="text-muted">
              {schedule.missed === 'run' ? 'What passed while nothing could run is run late, once.' : 'What passed while nothing could run is skipped.'}{' '}
              {schedule.overlap === 'skip' ? 'It does not run while an earlier run is still going.' : 'It also runs while an earlier run is still going.'}
            </p>
            {schedule.last_run_at && <p className="text-muted">Last run <TimeAgo at={schedule.last_run_at} />.</p>}
          </div>
        </Card>
      </div>
    </div>
  )
}

function Change({ schedule }: { schedule: ScheduleOf }) {
  const queries = useQueryClient()
  const [edited, setEdited] = useState<ScheduleValues | null>(null)
  const values = edited ?? valuesOf(schedule)
  const changes = edited ? changesOf(schedule, edited) : {}
  const dirty = Object.keys(changes).length > 0
  const save = useMutation({
    mutationFn: () => api.patch<{ job: ScheduleOf }>(`/api/v1/jobs/${schedule.id}`, changes),
    onSuccess: (done) => {
      queries.setQueryData(keys.schedule(schedule.id), done)
      void queries.invalidateQueries({ queryKey: keys.schedules })
      setEdited(null)
      toast.done('The schedule is saved.')
    },
  })
  const submit = (event: FormEvent) => { event.preventDefault(); if (dirty && !save.isPending) save.mutate() }
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <Unsaved when={dirty} />
      <ScheduleForm values={values} onChange={setEdited} refused={save.error} />
      <div className="flex flex-wrap items-center gap-3">
        <Button type="submit" kind="primary" disabled={!dirty} sending={save.isPending}>Save</Button>
        {dirty && <Button onClick={() => { setEdited(null); save.reset() }}>Undo the changes</Button>}
        <span role="status" className="text-sm text-muted">{dirty && !save.isPending ? 'Not saved yet.' : ''}</span>
      </div>
    </form>
  )
}

function Delete({ schedule }: { schedule: ScheduleOf }) {
  const queries = useQueryClient()
  const navigate = useNavigate()
  const [asking, setAsking] = useState(false)
  const remove = useMutation({
    mutationFn: () => api.delete(`/api/v1/jobs/${schedule.id}`),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: keys.scheduleList })
      toast.done('The schedule is deleted.')
      void navigate({ to: '/schedules', replace: true })
    },
  })
  return (
    <>
      <Button kind="danger" icon="close" onClick={() => { remove.reset(); setAsking(true) }}>Delete</Button>
      <Confirm open={asking} onClose={() => setAsking(false)} title="Delete this schedule?" action="Delete the schedule" sending={remove.isPending} error={remove.error} onConfirm={() => remove.mutate()}>
        <p>“{schedule.name}” and the list of its runs are deleted for good. Its work orders stay, and those that run go on.</p>
      </Confirm>
    </>
  )
}
