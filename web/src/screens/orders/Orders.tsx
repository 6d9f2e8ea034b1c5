/** Work orders: what was ordered, by whom it is worked on, and how it stands. */
import { api } from '@/api/client'
import type { OrderEntry, OrderPage } from '@/api/contract'
import { keys } from '@/api/keys'
import { useRepos } from '@/parts/OrderFields'
import { type OrderFilters, progress, sources, statusLooks, titleOf } from '@/parts/orders'
import { useHotkeys } from '@/shell/hotkeys'
import { mayChange, useSession } from '@/shell/session'
import { Badge, Button, buttonClass, Card, EmptyState, ErrorNote, Field, Icon, Screen, Select, Skeleton, Table, TimeAgo } from '@/ui'
import { useInfiniteQuery } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'

const PAGE = 50

export default function Orders() {
  const filters = useSearch({ from: '/shell/orders' })
  const navigate = useNavigate()
  const repos = useRepos() ?? []
  const session = useSession()
  const may = mayChange(session) || (session.person?.projects ?? []).some((project) => mayChange(session, project.project_id))
  const pages = useInfiniteQuery({
    queryKey: keys.orderList(filters), initialPageParam: null as number | null,
    queryFn: ({ pageParam, signal }) => api.get<OrderPage>('/api/v1/work-orders', { signal, query: { ...filters, cursor: pageParam, limit: PAGE } }),
    getNextPageParam: (last) => last.next_cursor ?? null,
  })
  const set = (name: keyof OrderFilters, value: string) => {
    const { [name]: _, ...rest } = filters
    void navigate({ to: '/orders', replace: true, search: value ? { ...rest, [name]: value } : rest })
  }
  useHotkeys('Work orders', may ? [{ key: 'c', about: 'New work order', run: () => void navigate({ to: '/orders/new' }) }] : [])
  const rows = pages.data?.pages.flatMap((page) => page.work_orders) ?? []
  const filtered = Object.keys(filters).length > 0
  const make = may && <Link to="/orders/new" className={buttonClass('primary')}><Icon name="plus" />New work order</Link>
  return (
    <Screen title="Work orders" actions={make}>
      <form role="search" aria-label="Work orders" onSubmit={(event) => event.preventDefault()} className="grid grid-cols-2 items-end gap-3 sm:max-w-2xl sm:grid-cols-3">
        <Field label="Status">{(control) => <Select {...control} value={filters.status ?? ''} onChange={(event) => set('status', event.target.value)}><option value="">all</option>{Object.entries(statusLooks).map(([id, { word }]) => <option key={id} value={id}>{word}</option>)}</Select>}</Field>
        <Field label="Source">{(control) => <Select {...control} value={filters.source ?? ''} onChange={(event) => set('source', event.target.value)}><option value="">all</option>{Object.entries(sources).map(([id, word]) => <option key={id} value={id}>{word}</option>)}</Select>}</Field>
        <Field label="Repository" className="max-sm:col-span-2">{(control) => <Select {...control} value={filters.repo_id ?? ''} onChange={(event) => set('repo_id', event.target.value)}><option value="">all</option>{repos.map((repo) => <option key={repo.id} value={repo.id}>{repo.name}</option>)}</Select>}</Field>
      </form>
      {pages.error && <ErrorNote error={pages.error} what={pages.data ? 'What you see may be old.' : undefined} onRetry={() => void pages.refetch()} />}
      {pages.isPending && <Skeleton label="Loading the work orders" lines={8} />}
      {pages.data && rows.length === 0 && (
        <EmptyState icon="plan" title={filtered ? 'Nothing fits' : 'Nothing was ordered yet'} action={filtered ? <Button onClick={() => void navigate({ to: '/orders', search: {} })}>Show everything</Button> : make}>
          {filtered ? 'Take a filter away to see more.' : 'A work order says what is to be reached, line by line, and what must hold when it is done. It becomes a ticket, and an agent works on it.'}
        </EmptyState>
      )}
      {rows.length > 0 && (
        <Card>
          <Table
            caption="Work orders, the newest first" rows={rows} id={(row) => row.id}
            columns={[
              { title: 'Order', className: 'min-w-56', cell: (row) => <Name row={row} repo={repos.find((one) => one.id === row.repo_id)?.name ?? null} /> },
              { title: 'Status', className: 'min-w-40', cell: (row) => <Status row={row} /> },
              { title: 'Lines', cell: (row) => <span className="whitespace-nowrap">{progress(row.lines) ?? 'none'}</span> },
              { title: 'Pull request', cell: (row) => row.pr_url ? <a href={row.pr_url} target="_blank" rel="noopener noreferrer" className="inline-flex min-h-6 items-center gap-1 whitespace-nowrap">{row.pr_number === null ? 'open it' : `#${row.pr_number}`}<Icon name="external" className="size-3.5" /></a> : <span className="text-muted">none yet</span> },
              { title: 'Created', cell: (row) => <TimeAgo at={row.created_at} className="whitespace-nowrap" /> },
            ]}
          />
        </Card>
      )}
      {pages.hasNextPage && <div><Button sending={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>Show older ones</Button></div>}
    </Screen>
  )
}

function Name({ row, repo }: { row: OrderEntry; repo: string | null }) {
  const about = [repo ?? row.agent_repos?.repo_url.replace(/^https?:\/\//, '') ?? 'no repository', row.agents?.name, row.source === 'cloud' ? null : sources[row.source]].filter(Boolean)
  return <><Link to="/orders/$orderId" params={{ orderId: row.id }} className="line-clamp-2 font-medium break-words">{titleOf(row)}</Link><span className="text-xs text-muted">{about.join(', ')}</span></>
}

function Status({ row }: { row: OrderEntry }) {
  const look = statusLooks[row.status]
  const why = row.status === 'failed' ? row.error_message : row.launch_error
  return (
    <span className="flex flex-col items-start gap-0.5">
      <Badge tone={look.tone} icon={look.icon}>{look.word}</Badge>
      {why && <span className="line-clamp-3 text-xs break-words text-muted">{why}</span>}
    </span>
  )
}
