/** What is ordered again and again: when next, and whether it runs by itself. */
import { api } from '@/api/client'
import type { Repo, Schedule } from '@/api/contract'
import { keys } from '@/api/keys'
import { useNow } from '@/lib/clock'
import { useRepos } from '@/parts/OrderFields'
import { useHotkeys } from '@/shell/hotkeys'
import { mayChange, useSession } from '@/shell/session'
import { Badge, buttonClass, EmptyState, ErrorNote, Icon, Screen, Skeleton, TimeAgo } from '@/ui'
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { Buttons } from './Buttons'
import { inTime, ownZone, timeIn, wordsOf } from './times'
import { templates } from './values'

export default function Schedules() {
  const list = useQuery({ queryKey: keys.scheduleList, queryFn: ({ signal }) => api.get<{ jobs: Schedule[] }>('/api/v1/jobs', { signal }) })
  const repos = useRepos()
  const session = useSession()
  const navigate = useNavigate()
  const may = mayChange(session) || (session.person?.projects ?? []).some((project) => mayChange(session, project.project_id))
  useHotkeys('Schedules', may ? [{ key: 'c', about: 'New schedule', run: () => void navigate({ to: '/schedules/new' }) }] : [])
  const jobs = list.data?.jobs
  return (
    <Screen title="Schedules" actions={may && <Link to="/schedules/new" className={buttonClass('primary')}><Icon name="plus" />New schedule</Link>}>
      {list.error && <ErrorNote error={list.error} what={jobs ? 'What you see may be old.' : undefined} onRetry={() => void list.refetch()} />}
      {list.isPending && <Skeleton label="Loading the schedules" lines={6} />}
      {jobs?.length === 0 && <EmptyState icon="waiting" title="Nothing is scheduled">A schedule makes a work order each time that it is due, such as every night.</EmptyState>}
      {jobs && jobs.length > 0 && (
        <ul aria-label="Schedules" className="flex flex-col gap-3">
          {jobs.map((schedule) => <Item key={schedule.id} schedule={schedule} repo={repos?.find((one) => one.id === schedule.repo_id)} may={mayChange(session, schedule.repo_id ?? undefined)} />)}
        </ul>
      )}
      {may && jobs && <Templates />}
    </Screen>
  )
}

function Item({ schedule, repo, may }: { schedule: Schedule; repo: Repo | undefined; may: boolean }) {
  const now = useNow()
  const [own, next] = [ownZone(), schedule.next_run_at]
  const there = next === null ? null : timeIn(next, schedule.timezone)
  return (
    <li className="flex flex-col gap-3 rounded-lg border bg-surface p-4 shadow-card md:flex-row md:items-start">
      <div className="flex min-w-0 grow flex-col gap-1">
        <h2 className="flex flex-wrap items-center gap-2 text-base">
          <Link to="/schedules/$scheduleId" params={{ scheduleId: schedule.id }} className="text-ink no-underline hover:underline">{schedule.name}</Link>
          {!schedule.enabled && <Badge tone="wait" icon="waiting">Paused</Badge>}
        </h2>
        {schedule.description && <p className="line-clamp-2 text-sm">{schedule.description}</p>}
        {next !== null && (
          <p className="text-sm">
            Next <time dateTime={next}>{timeIn(next, own) ?? next}</time>, {inTime(next, now)}
            {schedule.timezone !== own && there && <span className="text-muted"> ({there} in {schedule.timezone})</span>}
          </p>
        )}
        <p className="text-xs text-muted first-letter:uppercase">
          {wordsOf(schedule.cron_expression) && <>{wordsOf(schedule.cron_expression)}, </>}<code>{schedule.cron_expression}</code>, {repo?.name ?? 'no repository'}
          {schedule.last_run_at && <>, last run <TimeAgo at={schedule.last_run_at} /></>}
        </p>
      </div>
      {may && <Buttons schedule={schedule} />}
    </li>
  )
}

function Templates() {
  return (
    <section aria-label="Templates" className="flex flex-col gap-2">
      <h2 className="text-sm">Begin with a template</h2>
      <ul className="grid gap-3 md:grid-cols-3">
        {templates.map(({ id, name, about }) => (
          <li key={id} className="flex">
            <Link to="/schedules/new" search={{ template: id }} className="flex w-full flex-col gap-1 rounded-lg border border-dashed border-line-strong/60 p-3 text-ink no-underline hover:bg-hover">
              <span className="text-sm font-medium">{name}</span><span className="text-xs text-muted">{about}</span>
            </Link>
          </li>
        ))}
      </ul>
    </section>
  )
}
