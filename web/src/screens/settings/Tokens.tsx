import { api } from '@/api/client'
import type { Token } from '@/api/contract'
import { keys } from '@/api/keys'
import { useNow } from '@/lib/clock'
import { exactly } from '@/lib/time'
import { scopes, TokenForm } from '@/parts/TokenForm'
import { projectsQuery } from '@/shell/projects'
import { Badge, Button, Card, Confirm, Dialog, EmptyState, ErrorNote, Skeleton, Table, TimeAgo, toast } from '@/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'

export function Tokens() {
  const queries = useQueryClient()
  const tokens = useQuery({ queryKey: keys.tokens, queryFn: ({ signal }) => api.get<Token[]>('/api/tokens', { signal }) })
  const projects = useQuery(projectsQuery).data ?? []
  const now = useNow()
  const [making, setMaking] = useState(false)
  const [revoking, setRevoking] = useState<Token | null>(null)
  const revoke = useMutation({
    mutationFn: (token: Token) => api.delete(`/api/tokens/${token.id}`),
    onSuccess: async () => { await queries.invalidateQueries({ queryKey: keys.tokens }); setRevoking(null); toast.done('The token is revoked.') },
  })
  const button = <Button kind={tokens.data?.length ? 'plain' : 'primary'} icon="plus" onClick={() => setMaking(true)}>New token</Button>
  const may = (token: Token) => `${scopes[token.scope].split(':')[0]}${token.role ? `, as ${token.role}` : ''}${token.project_id ? `, in ${projects.find((one) => one.id === token.project_id)?.name ?? 'one project'}` : ''}`
  const expiry = (token: Token) => token.expires_at === null ? 'never' : Date.parse(token.expires_at) < now ? <Badge tone="bad">Expired</Badge> : <span className="whitespace-nowrap">{exactly(token.expires_at)}</span>
  return (
    <Card title="Tokens" actions={tokens.data && tokens.data.length > 0 && button}>
      {tokens.error && <ErrorNote error={tokens.error} onRetry={() => void tokens.refetch()} />}
      {tokens.isPending && <Skeleton label="Loading the tokens" />}
      {tokens.data?.length === 0 && <EmptyState icon="link" title="No tokens" action={button}>Scripts, the command and hosts use the API with a token of their own. Each can be revoked alone.</EmptyState>}
      {tokens.data && tokens.data.length > 0 && (
        <Table
          caption="Tokens" rows={tokens.data} id={(token) => token.id}
          columns={[
            { title: 'Name', className: 'min-w-36', cell: (token) => <><span className="font-medium">{token.name}</span><br /><span className="font-mono text-xs text-muted">{token.prefix}…</span></> },
            { title: 'It may', className: 'min-w-44', cell: may },
            { title: 'Made by', cell: (token) => token.created_by },
            { title: 'Last used', cell: (token) => token.last_used_at ? <TimeAgo at={token.last_used_at} className="whitespace-nowrap" /> : <span className="text-muted">never</span> },
            { title: 'Expires', cell: expiry },
            { title: 'Change', cell: (token) => <Button size="small" kind="danger" onClick={() => { revoke.reset(); setRevoking(token) }}>Revoke<span className="sr-only"> {token.name}</span></Button> },
          ]}
        />
      )}
      <Dialog open={making} onClose={() => setMaking(false)} title="New token">{making && <TokenForm onClose={() => setMaking(false)} />}</Dialog>
      {revoking && (
        <Confirm open onClose={() => setRevoking(null)} title={`Revoke ${revoking.name}?`} action="Revoke the token" sending={revoke.isPending} error={revoke.error} onConfirm={() => revoke.mutate(revoking)}>
          <p>Whatever uses it is refused from now on.{revoking.scope === 'worker' && ' Jobs of a host that uses it go back to the queue when their leases run out.'} It can’t be taken back; make a new one instead.</p>
        </Confirm>
      )}
    </Card>
  )
}
