/** What a schedule ran, and what came of it. */
import { api } from '@/api/client'
import type { Schedule, ScheduleRun } from '@/api/contract'
import { keys } from '@/api/keys'
import { exactly, plural, took } from '@/lib/time'
import { runLooks } from '@/parts/orders'
import { Badge, Button, buttonClass, Card, EmptyState, ErrorNote, Icon, Skeleton, Table, TimeAgo } from '@/ui'
import { useInfiniteQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'

const PAGE = 50

export function Runs({ schedule }: { schedule: Schedule }) {
  const pages = useInfiniteQuery({
    queryKey: keys.runsOf(schedule.id), initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) => api.get<{ runs: ScheduleRun[] }>(`/api/v1/jobs/${schedule.id}/runs`, { signal, query: { before: pageParam, limit: PAGE } }),
    getNextPageParam: ({ runs }) => (runs.length === PAGE ? (runs.at(-1)?.started_at ?? null) : null),
  })
  const runs = pages.data?.pages.flatMap((page) => page.runs) ?? []
  return (
    <Card title="History">
      {pages.error && <ErrorNote error={pages.error} what={pages.data ? 'What you see may be old.' : undefined} onRetry={() => void pages.refetch()} />}
      {pages.isPending && <Skeleton label="Loading the runs" lines={6} />}
      {pages.data && runs.length === 0 && <EmptyState icon="waiting" title="It has not run yet">Each time that it is due is listed here, with its work order.</EmptyState>}
      {runs.length > 0 && (
        <Table
          caption="Runs, the newest first" rows={runs} id={(run) => run.id}
          columns={[
            { title: 'Began', cell: (run) => <><TimeAgo at={run.started_at} className="whitespace-nowrap" /><br /><span className="text-xs text-muted">{run.due_at === null ? 'by hand' : <time dateTime={run.due_at}>due {exactly(run.due_at)}</time>}</span></> },
            { title: 'Status', className: 'min-w-44', cell: (run) => <Status run={run} /> },
            { title: 'Took', cell: (run) => <span className="whitespace-nowrap">{run.finished_at && run.work_order_id ? took(Date.parse(run.finished_at) - Date.parse(run.started_at)) : ''}</span> },
            { title: 'Order', cell: (run) => run.work_order_id ? <Link to="/orders/$orderId" params={{ orderId: run.work_order_id }} className={buttonClass('plain', 'small')}>Open it</Link> : <span className="text-muted">none</span> },
            { title: 'Pull request', cell: (run) => run.pr_url ? <a href={run.pr_url} target="_blank" rel="noopener noreferrer" className="inline-flex min-h-6 items-center gap-1 whitespace-nowrap">open it<Icon name="external" className="size-3.5" /></a> : <span className="text-muted">none</span> },
          ]}
        />
      )}
      {pages.hasNextPage && <div className="pt-3"><Button sending={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>Show older ones</Button></div>}
    </Card>
  )
}

function Status({ run }: { run: ScheduleRun }) {
  const look = runLooks[run.status]
  return (
    <span className="flex flex-col items-start gap-0.5">
      <Badge tone={look.tone} icon={look.icon}>{look.word}</Badge>
      {run.error_message && <span className="line-clamp-3 text-xs break-words text-muted">{run.error_message}</span>}
      {run.missed > 0 && <span className="text-xs text-muted">{plural(run.missed, 'earlier time')} passed</span>}
    </span>
  )
}
