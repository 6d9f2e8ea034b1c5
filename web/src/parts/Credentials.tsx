/** Credentials for forges, each bound to its host: those of one project, or those for all. Their secrets are never shown. */
import { api } from '@/api/client'
import type { Credential } from '@/api/contract'
import { keys } from '@/api/keys'
import { Badge, Button, Card, Confirm, Dialog, EmptyState, ErrorNote, Skeleton, Table, TimeAgo, toast } from '@/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { CredentialForm } from './CredentialForm'

interface Props { projectId: string | null; host?: string; may: boolean }

export function Credentials({ projectId, host = '', may }: Props) {
  const queries = useQueryClient()
  const all = useQuery({ queryKey: keys.credentials, enabled: may, queryFn: ({ signal }) => api.get<Credential[]>('/api/credentials', { signal }) })
  const [adding, setAdding] = useState(false)
  const [deleting, setDeleting] = useState<Credential | null>(null)
  const remove = useMutation({
    mutationFn: (credential: Credential) => api.delete(`/api/credentials/${credential.id}`),
    onSuccess: () => { void queries.invalidateQueries({ queryKey: keys.credentials }); setDeleting(null); toast.done('The credential is deleted.') },
  })
  if (!may) return <Card title="Credentials"><p className="text-sm text-muted">Members and admins manage credentials.</p></Card>
  const own = all.data?.filter((one) => one.project_id === projectId)
  const forAll = projectId === null ? [] : (all.data?.filter((one) => one.project_id === null && (!host || one.host === host)) ?? [])
  const add = <Button kind={own?.length ? 'plain' : 'primary'} icon="plus" onClick={() => setAdding(true)}>Add a credential</Button>
  return (
    <Card title="Credentials" actions={own && own.length > 0 && add}>
      {all.error && <ErrorNote error={all.error} onRetry={() => void all.refetch()} />}
      {all.isPending && <Skeleton label="Loading the credentials" />}
      {own?.length === 0 && (
        <EmptyState icon="link" title={projectId ? 'No credentials of its own' : 'No credentials'} action={add}>
          {forAll.length > 0 ? `Those for all projects are used for ${host}: ${forAll.map(({ name }) => name).join(', ')}.` : 'The bot reads, comments and merges with one. Approving needs a second one, of another account: no forge lets the bot approve what it opened.'}
        </EmptyState>
      )}
      {own && own.length > 0 && (
        <Table
          caption="Credentials" rows={own} id={(one) => one.id}
          columns={[
            { title: 'Name', className: 'min-w-36', cell: (one) => <span className="font-medium break-words">{one.name}</span> },
            { title: 'Host', cell: (one) => <code className="break-all">{one.host}</code> },
            { title: 'For', cell: (one) => <Badge tone={one.kind === 'approver' ? 'review' : 'quiet'}>{one.kind === 'approver' ? 'Approving' : 'The bot'}</Badge> },
            { title: 'Added', cell: (one) => <TimeAgo at={one.created_at} className="whitespace-nowrap" /> },
            { title: 'Change', cell: (one) => <Button size="small" kind="danger" onClick={() => { remove.reset(); setDeleting(one) }}>Delete<span className="sr-only"> {one.name}</span></Button> },
          ]}
        />
      )}
      <Dialog open={adding} onClose={() => setAdding(false)} title="Add a credential" about="It is encrypted, sent to its host alone, and never shown again.">
        {adding && <CredentialForm projectId={projectId} host={host} onClose={() => setAdding(false)} />}
      </Dialog>
      {deleting && (
        <Confirm open onClose={() => setDeleting(null)} title={`Delete ${deleting.name}?`} action="Delete the credential" sending={remove.isPending} error={remove.error} onConfirm={() => remove.mutate(deleting)}>
          <p>{deleting.kind === 'approver' ? 'Pull requests can’t be approved from here with it any more.' : 'What is read and posted with it stops, unless another one is there for the same host.'} The account at {deleting.host} stays as it is.</p>
        </Confirm>
      )}
    </Card>
  )
}
