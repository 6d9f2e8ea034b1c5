/** The fields of a schedule, with the next times of its expression as it is typed. */
import { api } from '@/api/client'
import { ApiError } from '@/api/errors'
import { keys } from '@/api/keys'
import { errorOfField, fieldAtFault } from '@/lib/field-error'
import { OrderFields, PlaceFields } from '@/parts/OrderFields'
import { Card, Checkbox, ErrorNote, Field, Input, Select, Skeleton, Textarea } from '@/ui'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { NextTimes } from './NextTimes'
import { presets, wordsOf, zones } from './times'
import { SCHEDULE_FIELDS, type ScheduleValues } from './values'

const TYPED_MS = 300
const TIMES_FIELDS = ['cron_expression', 'timezone'] as const

interface Props { values: ScheduleValues; onChange: (values: ScheduleValues) => void; refused: unknown }

export function ScheduleForm({ values, onChange, refused }: Props) {
  const set = (change: Partial<ScheduleValues>) => onChange({ ...values, ...change })
  const times = useTimes(values.cron_expression, values.timezone)
  const error = (field: string) => errorOfField(refused, SCHEDULE_FIELDS, field)
  const timeError = (field: (typeof TIMES_FIELDS)[number]) => errorOfField(times.error, TIMES_FIELDS, field) ?? error(field)
  return (
    <>
      <Card title="When">
        <div className="grid gap-4 md:grid-cols-2">
          <div className="flex flex-col gap-4">
            <Field label="Often used">
              {(control) => (
                <Select {...control} value={wordsOf(values.cron_expression) ? values.cron_expression.trim() : ''} onChange={(event) => { if (event.target.value) set({ cron_expression: event.target.value }) }}>
                  <option value="">another time</option>
                  {presets.map(({ expression, words }) => <option key={expression} value={expression}>{words}</option>)}
                </Select>
              )}
            </Field>
            <Field label="Expression" hint="Minute, hour, day of the month, month, day of the week." error={timeError('cron_expression')}>
              {(control) => <Input {...control} required spellCheck={false} autoCapitalize="off" className="font-mono" value={values.cron_expression} onChange={(event) => set({ cron_expression: event.target.value })} />}
            </Field>
            <Field label="Time zone" error={timeError('timezone')}>
              {(control) => <><Input {...control} required list="time-zones" spellCheck={false} value={values.timezone} onChange={(event) => set({ timezone: event.target.value })} /><datalist id="time-zones">{zones().map((zone) => <option key={zone} value={zone} />)}</datalist></>}
            </Field>
          </div>
          <section aria-label="The next five times" aria-busy={times.waiting || undefined} className="flex flex-col gap-2">
            <h3 className="text-sm font-medium">The next five times</h3>
            {times.error && fieldAtFault(times.error, TIMES_FIELDS) === null && <ErrorNote error={times.error} onRetry={times.retry} />}
            {times.error && fieldAtFault(times.error, TIMES_FIELDS) !== null && <p className="text-sm text-muted">They come once the expression and the time zone can be read.</p>}
            {!times.error && times.list && <div className={times.waiting ? 'opacity-50' : undefined}><NextTimes times={times.list} zone={times.zone} label="The next five times" /></div>}
            {!times.error && !times.list && <Skeleton label="Asking for the next times" lines={5} />}
          </section>
          <Field label="Times that passed while nothing could run" error={error('missed')}>
            {(control) => <Select {...control} value={values.missed} onChange={(event) => set({ missed: event.target.value === 'skip' ? 'skip' : 'run' })}><option value="run">the last of them is run late, once</option><option value="skip">are skipped</option></Select>}
          </Field>
          <Field label="While an earlier run is still going" error={error('overlap')}>
            {(control) => <Select {...control} value={values.overlap} onChange={(event) => set({ overlap: event.target.value === 'allow' ? 'allow' : 'skip' })}><option value="skip">the time passes without a run</option><option value="allow">another run begins</option></Select>}
          </Field>
          <Checkbox label="It runs by itself" hint="Otherwise only by hand." checked={values.enabled} onChange={(event) => set({ enabled: event.target.checked })} />
        </div>
      </Card>
      <Card title="Its orders">
        <div className="flex flex-col gap-4">
          <Field label="Name" error={error('name')}>{(control) => <Input {...control} required value={values.name} onChange={(event) => set({ name: event.target.value })} />}</Field>
          <Field label="What it is for" error={error('description')}>{(control) => <Textarea {...control} rows={2} value={values.description} onChange={(event) => set({ description: event.target.value })} />}</Field>
          <PlaceFields repo={values.repo} agent={values.agent} onChange={set} repoError={error('repo_id')} agentError={error('agent_id')} required />
          <OrderFields values={values.content} onChange={(content) => set({ content })} error={(field) => error(field) ?? (field === 'objective' ? error('work_order_template') : null)} objectiveHint="What each order is to reach. Empty: what it is for, or its name." />
        </div>
      </Card>
      {refused != null && fieldAtFault(refused, SCHEDULE_FIELDS) === null && <ErrorNote what="Nothing was saved." error={refused} />}
    </>
  )
}

interface Times { list: string[] | null; zone: string; error: ApiError | null; waiting: boolean; retry: () => void }

/** What the server makes of an expression, a moment after it was typed. */
function useTimes(expression: string, zone: string): Times {
  const [asked, setAsked] = useState({ expression, zone })
  useEffect(() => {
    const timer = setTimeout(() => setAsked({ expression, zone }), TYPED_MS)
    return () => clearTimeout(timer)
  }, [expression, zone])
  const query = useQuery({
    queryKey: keys.times(asked.expression, asked.zone), placeholderData: keepPreviousData, gcTime: 60_000, staleTime: 30_000, retry: false,
    queryFn: async ({ signal }) => ({ zone: asked.zone, ...(await api.post<{ next_runs: string[] }>('/api/v1/jobs/preview', { cron_expression: asked.expression, timezone: asked.zone }, { signal })) }),
  })
  const waiting = query.isPlaceholderData || query.isFetching || asked.expression !== expression || asked.zone !== zone
  return { list: query.data?.next_runs ?? null, zone: query.data?.zone ?? zone, error: query.error instanceof ApiError ? query.error : null, waiting, retry: () => void query.refetch() }
}
