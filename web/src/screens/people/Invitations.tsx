import { api } from '@/api/client'
import type { Invitation } from '@/api/contract'
import { keys } from '@/api/keys'
import { exactly } from '@/lib/time'
import { projectsQuery } from '@/shell/projects'
import { Button, Card, Confirm, Dialog, EmptyState, ErrorNote, Skeleton, Table, TimeAgo, toast } from '@/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Invite } from './Invite'
import { roleNames } from './roles'

export function Invitations() {
  const queries = useQueryClient()
  const invitations = useQuery({ queryKey: keys.invitations, queryFn: ({ signal }) => api.get<Invitation[]>('/api/invitations', { signal }) })
  const projects = useQuery(projectsQuery).data ?? []
  const [inviting, setInviting] = useState(false)
  const [taking, setTaking] = useState<Invitation | null>(null)
  const take = useMutation({
    mutationFn: (one: Invitation) => api.delete(`/api/invitations/${one.id}`),
    onSuccess: async () => { await queries.invalidateQueries({ queryKey: keys.invitations }); setTaking(null); toast.done('The invitation is taken back.') },
  })
  const invite = <Button kind="primary" icon="plus" onClick={() => setInviting(true)}>Invite</Button>
  const list = invitations.data
  return (
    <Card title="Open invitations" actions={list && list.length > 0 && invite}>
      {invitations.error && <ErrorNote error={invitations.error} onRetry={() => void invitations.refetch()} />}
      {invitations.isPending && <Skeleton label="Loading the invitations" />}
      {list?.length === 0 && <EmptyState icon="link" title="No open invitations" action={invite}>An invitation is a link that works once. Who has used one stands under Everybody.</EmptyState>}
      {list && list.length > 0 && (
        <Table
          caption="Open invitations" rows={list} id={(one) => one.id}
          columns={[
            { title: 'For', className: 'min-w-40', cell: (one) => one.email ? <span className="wrap-anywhere">{one.email}</span> : <span className="text-muted">whoever has the link</span> },
            { title: 'As', cell: (one) => `${roleNames[one.role]}${one.project_id ? ` in ${projects.find((project) => project.id === one.project_id)?.name ?? 'a project'}` : ''}` },
            { title: 'Made', className: 'min-w-32', cell: (one) => <>by {one.created_by}, <TimeAgo at={one.created_at} /></> },
            { title: 'Works until', className: 'min-w-32', cell: (one) => exactly(one.expires_at) },
            { title: 'Change', cell: (one) => <Button size="small" kind="danger" onClick={() => { take.reset(); setTaking(one) }}>Take back<span className="sr-only"> the invitation for {one.email ?? 'anybody'}</span></Button> },
          ]}
        />
      )}
      <Dialog open={inviting} onClose={() => setInviting(false)} title="Invite">{inviting && <Invite onClose={() => setInviting(false)} />}</Dialog>
      {taking && <Confirm open onClose={() => setTaking(null)} title="Take this invitation back?" action="Take it back" sending={take.isPending} error={take.error} onConfirm={() => take.mutate(taking)}><p>Its link stops working at once.</p></Confirm>}
    </Card>
  )
}
