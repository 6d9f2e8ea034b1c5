import { api } from '@/api/client'
import type { SessionEntry } from '@/api/contract'
import { keys } from '@/api/keys'
import { Badge, Button, EmptyState, ErrorNote, Skeleton, TimeAgo, toast } from '@/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { device } from './roles'

/** Where somebody is signed in; each can be ended. Without a person: one's own. */
export function Sessions({ personId }: { personId?: string }) {
  const queries = useQueryClient()
  const key = [...keys.sessions, personId ?? 'own']
  const sessions = useQuery({ queryKey: key, queryFn: ({ signal }) => api.get<SessionEntry[]>('/api/sessions', { signal, query: { person_id: personId } }) })
  const end = useMutation({
    mutationFn: (session: SessionEntry) => api.delete(`/api/sessions/${session.id}`),
    onSuccess: async (_, session) => {
      await queries.invalidateQueries({ queryKey: keys.sessions })
      if (session.current) void queries.invalidateQueries({ queryKey: keys.session })
      toast.done('The session is ended.')
    },
    onError: (error) => toast.failed('The session goes on.', error),
  })
  if (sessions.error && !sessions.data) return <ErrorNote error={sessions.error} onRetry={() => void sessions.refetch()} />
  if (!sessions.data) return <Skeleton label="Loading the sessions" />
  if (sessions.data.length === 0) return <EmptyState icon="system" title="Signed in nowhere" />
  return (
    <ul aria-label="Sessions" className="flex flex-col divide-y">
      {sessions.data.map((session) => (
        <li key={session.id} className="flex flex-wrap items-center gap-3 py-3 text-sm first:pt-0 last:pb-0">
          <div className="min-w-0 grow basis-56">
            <p className="flex flex-wrap items-center gap-2 font-medium"><span title={session.user_agent ?? undefined}>{device(session.user_agent)}</span>{session.current && <Badge tone="good">This one</Badge>}</p>
            <p className="text-xs text-muted">{session.address && <>{session.address}, </>}signed in <TimeAgo at={session.created_at} />{session.last_seen_at && <>, last seen <TimeAgo at={session.last_seen_at} /></>}</p>
          </div>
          <Button size="small" kind="danger" sending={end.isPending && end.variables?.id === session.id} onClick={() => end.mutate(session)}>{session.current ? 'End, and sign out here' : 'End'}<span className="sr-only">: {device(session.user_agent)}</span></Button>
        </li>
      ))}
    </ul>
  )
}
