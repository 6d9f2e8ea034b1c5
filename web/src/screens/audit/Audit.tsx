import { api } from '@/api/client'
import type { AuditFilters, AuditPage } from '@/api/contract'
import { useEvents } from '@/live/context'
import { isAdmin, useSession } from '@/shell/session'
import { Button, EmptyState, ErrorNote, Screen, Skeleton } from '@/ui'
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import { Export } from './Export'
import { Filters } from './Filters'
import { Rows } from './Rows'
import { isFiltered, queryOf } from './rows'

const PAGE = 200

export default function Audit() {
  const admin = isAdmin(useSession())
  return (
    <Screen title="Audit">
      {admin ? <Entries /> : <EmptyState icon="audit" title="Only admins see the audit">It says who did what. Ask an admin if you need to know something.</EmptyState>}
    </Screen>
  )
}

function Entries() {
  const filters = useSearch({ from: '/shell/audit' })
  const navigate = useNavigate()
  const queries = useQueryClient()
  const [newer, setNewer] = useState(false)
  const key = ['audit-list', filters]
  const pages = useInfiniteQuery({
    queryKey: key, initialPageParam: null as number | null,
    queryFn: ({ pageParam, signal }) => api.get<AuditPage>('/api/audit', { signal, query: { ...queryOf(filters), before: pageParam, limit: PAGE } }),
    getNextPageParam: (last) => (last.older ? (last.entries.at(-1)?.seq ?? null) : null),
  })
  // A list that is read is not moved under one's eyes: new entries are announced, and shown when wanted.
  useEvents((events) => { if (events.some((event) => !event.kind.startsWith('log.') && event.kind !== 'coordinator.seen')) setNewer(true) })
  const show = () => { setNewer(false); void queries.resetQueries({ queryKey: key }) }
  const change = (next: AuditFilters) => { setNewer(false); void navigate({ to: '/audit', search: next, replace: true }) }
  const entries = pages.data?.pages.flatMap((page) => page.entries) ?? []
  return (
    <>
      <Filters filters={filters} entries={entries} onChange={change} />
      <div className="flex min-h-9 flex-wrap items-center gap-2">
        <div role="status" className="grow text-sm text-muted">{newer && <Button size="small" icon="up" onClick={show}>Something happened since. Show it</Button>}</div>
        <Export filters={filters} />
      </div>
      {pages.error && <ErrorNote error={pages.error} what={pages.data ? 'Older entries could not be loaded.' : undefined} onRetry={() => void (pages.data ? pages.fetchNextPage() : pages.refetch())} />}
      {pages.isPending && <Skeleton label="Loading the audit" lines={10} />}
      {pages.data && entries.length === 0 && (
        <EmptyState icon="audit" title={isFiltered(filters) ? 'Nothing fits these filters' : 'Nothing was done yet'} action={isFiltered(filters) && <Button onClick={() => change({})}>Show everything</Button>}>
          {isFiltered(filters) ? 'Take one away to see more.' : 'Everything that people, tokens and the server change stands here.'}
        </EmptyState>
      )}
      {entries.length > 0 && <Rows entries={entries} older={pages.hasNextPage} loading={pages.isFetchingNextPage} failed={pages.isError} onOlder={() => void pages.fetchNextPage()} onFilter={(more) => change({ ...filters, ...more })} />}
    </>
  )
}
