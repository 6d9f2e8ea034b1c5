/** What forges delivered, what came of it, and working on one once more. */
import { api } from '@/api/client'
import type { Delivery, DeliveryPage } from '@/api/contract'
import { keys } from '@/api/keys'
import { deliveryLooks, senders } from '@/parts/forges'
import { projectsQuery } from '@/shell/projects'
import { isAdmin, useSession } from '@/shell/session'
import { Badge, Button, Card, EmptyState, ErrorNote, Field, Screen, Select, Skeleton, Table, TimeAgo, toast } from '@/ui'
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { lateNote, type DeliveryFilters } from './words'

const PAGE = 100

export default function Deliveries() {
  const filters = useSearch({ from: '/shell/deliveries' })
  const navigate = useNavigate()
  const admin = isAdmin(useSession())
  const projects = useQuery(projectsQuery).data ?? []
  const pages = useInfiniteQuery({
    queryKey: keys.deliveryList(filters), initialPageParam: null as number | null,
    queryFn: ({ pageParam, signal }) => api.get<DeliveryPage>('/api/deliveries', { signal, query: { ...filters, before: pageParam, limit: PAGE } }),
    getNextPageParam: (last) => (last.older ? (last.deliveries.at(-1)?.seq ?? null) : null),
  })
  const set = (name: keyof DeliveryFilters, value: string) => {
    const { [name]: _, ...rest } = filters
    void navigate({ to: '/deliveries', replace: true, search: value ? { ...rest, [name]: value } : rest })
  }
  const rows = pages.data?.pages.flatMap((page) => page.deliveries) ?? []
  const filtered = filters.state !== undefined || filters.project_id !== undefined
  const nameOf = (id: string | null) => projects.find((one) => one.id === id)?.name ?? null
  return (
    <Screen title="Deliveries">
      <form role="search" aria-label="Deliveries" onSubmit={(event) => event.preventDefault()} className="grid grid-cols-2 items-end gap-3 sm:max-w-md">
        <Field label="State">{(control) => <Select {...control} value={filters.state ?? ''} onChange={(event) => set('state', event.target.value)}><option value="">all</option>{Object.entries(deliveryLooks).map(([id, { word }]) => <option key={id} value={id}>{word}</option>)}</Select>}</Field>
        <Field label="Project">{(control) => <Select {...control} value={filters.project_id ?? ''} onChange={(event) => set('project_id', event.target.value)}><option value="">all</option>{projects.map((project) => <option key={project.id} value={project.id}>{project.name}</option>)}</Select>}</Field>
      </form>
      {pages.error && <ErrorNote error={pages.error} what={pages.data ? 'What you see may be old.' : undefined} onRetry={() => void pages.refetch()} />}
      {pages.isPending && <Skeleton label="Loading the deliveries" lines={8} />}
      {pages.data && rows.length === 0 && (
        <EmptyState icon="link" title={filtered ? 'Nothing fits' : 'Nothing was delivered yet'} action={filtered && <Button onClick={() => void navigate({ to: '/deliveries', search: {} })}>Show everything</Button>}>
          {filtered ? 'Take a filter away to see more.' : 'What a forge’s webhook sends comes here, with what came of it. Set one up under Forge in a project’s settings.'}
        </EmptyState>
      )}
      {rows.length > 0 && (
        <Card>
          <Table
            caption="Deliveries, the latest first" rows={rows} id={(row) => row.id}
            columns={[
              { title: 'Received', cell: (row) => <TimeAgo at={row.received_at} className="whitespace-nowrap" /> },
              { title: 'What', className: 'min-w-40', cell: (row) => <><span className="font-medium break-words">{row.event}</span><br /><span className="text-xs text-muted">{senders[row.sender]}{nameOf(row.project_id) && `, ${nameOf(row.project_id)}`}</span></> },
              { title: 'State', className: 'min-w-56', cell: (row) => <State row={row} /> },
              ...(admin ? [{ title: 'Change', cell: (row: Delivery) => <Replay row={row} /> }] : []),
            ]}
          />
        </Card>
      )}
      {pages.hasNextPage && <div><Button sending={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>Show older ones</Button></div>}
    </Screen>
  )
}

function State({ row }: { row: Delivery }) {
  const look = deliveryLooks[row.state]
  return (
    <span className="flex flex-col items-start gap-0.5">
      <Badge tone={look.tone} icon={look.icon}>{look.word}</Badge>
      {row.reason && <span className="text-xs break-words text-muted">{row.reason}</span>}
      {lateNote(row) && <span className="text-xs text-muted">{lateNote(row)}</span>}
    </span>
  )
}

function Replay({ row }: { row: Delivery }) {
  const queries = useQueryClient()
  const replay = useMutation({
    mutationFn: () => api.post(`/api/deliveries/${row.id}/replay`),
    onSuccess: () => { void queries.invalidateQueries({ queryKey: keys.deliveries }); toast.done('It is worked on once more.') },
    onError: (error) => toast.failed('The delivery stays as it was.', error),
  })
  if (row.state === 'waiting') return <span className="text-xs text-muted">by itself</span>
  return <Button size="small" icon="retry" kind={row.state === 'failed' ? 'primary' : 'plain'} sending={replay.isPending} onClick={() => replay.mutate()}>Replay<span className="sr-only"> {row.event}</span></Button>
}
