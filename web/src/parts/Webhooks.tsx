/** Secrets of webhooks, where to send to, and whether anything came: of one project, or for all. */
import { api } from '@/api/client'
import type { DeliveryPage, WebhookSecret } from '@/api/contract'
import { keys } from '@/api/keys'
import { Button, Card, Confirm, CopyBox, Dialog, EmptyState, ErrorNote, Icon, Skeleton, TimeAgo, toast } from '@/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { eventsOf, hookPath, lastOf, type Sender, senders } from './forges'
import { SecretForm } from './SecretForm'

interface Props { projectId: string | null; sender?: Sender | null; may: boolean }

export function Webhooks({ projectId, sender = null, may }: Props) {
  const queries = useQueryClient()
  const secrets = useQuery({ queryKey: keys.webhookSecrets, enabled: may, queryFn: ({ signal }) => api.get<WebhookSecret[]>('/api/webhook-secrets', { signal }) })
  const deliveries = useQuery({ queryKey: keys.deliveriesOf(projectId), queryFn: ({ signal }) => api.get<DeliveryPage>('/api/deliveries', { signal, query: { project_id: projectId, limit: 100 } }) })
  const [making, setMaking] = useState<Sender | true | null>(null)
  const [deleting, setDeleting] = useState<WebhookSecret | null>(null)
  const remove = useMutation({
    mutationFn: (secret: WebhookSecret) => api.delete(`/api/webhook-secrets/${secret.id}`),
    onSuccess: () => { void queries.invalidateQueries({ queryKey: keys.webhookSecrets }); setDeleting(null); toast.done('The secret is deleted.') },
  })
  if (!may) return <Card title="Webhooks"><p className="text-sm text-muted">Members and admins manage webhooks.</p></Card>
  const own = secrets.data?.filter((one) => one.project_id === projectId) ?? []
  const groups = (Object.keys(senders) as Sender[]).map((id) => ({ id, secrets: own.filter((one) => one.sender === id) })).filter((group) => group.secrets.length > 0)
  const make = <Button kind={own.length ? 'plain' : 'primary'} icon="plus" onClick={() => setMaking(true)}>Make a secret</Button>
  return (
    <Card title="Webhooks" actions={<>{own.length > 0 && make}<Link to="/deliveries" search={projectId ? { project_id: projectId } : {}} className="text-sm underline">Deliveries</Link></>}>
      {secrets.error && <ErrorNote error={secrets.error} onRetry={() => void secrets.refetch()} />}
      {secrets.isPending && <Skeleton label="Loading the webhooks" />}
      {secrets.data && own.length === 0 && (
        <EmptyState icon="link" title={projectId ? 'No webhook of its own' : 'No webhooks'} action={make}>
          With one, the forge says at once what happens to a pull request. Without, it is noticed later.
        </EmptyState>
      )}
      <div className="flex flex-col divide-y">
        {groups.map((group) => (
          <section key={group.id} aria-label={senders[group.id]} className="flex flex-col gap-3 py-4 first:pt-0 last:pb-0">
            <div className="flex flex-wrap items-center justify-between gap-2">
              <h3 className="text-sm">{senders[group.id]}</h3>
              {group.secrets.length < 2 && <Button size="small" icon="retry" onClick={() => setMaking(group.id)}>Replace the secret<span className="sr-only"> of {senders[group.id]}</span></Button>}
            </div>
            <LastReceived at={deliveries.data ? lastOf(deliveries.data.deliveries, group.id) : undefined} sender={group.id} />
            <CopyBox label={`Address for ${senders[group.id]}`} text={new URL(hookPath(group.id, projectId), window.location.origin).href} />
            <ul className="flex flex-col gap-1">
              {group.secrets.map((secret) => (
                <li key={secret.id} className="flex flex-wrap items-center gap-2 text-sm">
                  <span className="text-muted">{secret.kind === 'signing' ? 'Signing secret' : 'Secret'} made <TimeAgo at={secret.created_at} /></span>
                  <Button size="small" kind="danger" onClick={() => { remove.reset(); setDeleting(secret) }}>Delete<span className="sr-only"> this secret of {senders[group.id]}</span></Button>
                </li>
              ))}
            </ul>
            {group.secrets.length === 2 && <p className="text-xs text-muted">Both are valid. Set the new one at the forge, then delete the old one.</p>}
          </section>
        ))}
      </div>
      <Dialog open={making !== null} onClose={() => setMaking(null)} title="Make a secret for a webhook">
        {making !== null && <SecretForm projectId={projectId} sender={making === true ? sender : making} fixed={making !== true} onClose={() => setMaking(null)} />}
      </Dialog>
      {deleting && (
        <Confirm open onClose={() => setDeleting(null)} title="Delete this secret?" action="Delete the secret" sending={remove.isPending} error={remove.error} onConfirm={() => remove.mutate(deleting)}>
          <p>What {senders[deleting.sender]} signs with it is refused from now on.</p>
        </Confirm>
      )}
    </Card>
  )
}

/** The test of a webhook: whether anything came. */
function LastReceived({ at, sender }: { at: string | null | undefined; sender: Sender }) {
  if (at === undefined) return null
  if (at) return <p className="flex items-center gap-2 text-sm"><Icon name="done" className="text-good" /><span>Last delivery received <TimeAgo at={at} /></span></p>
  return (
    <div className="flex gap-2 rounded-md bg-wait-soft px-3 py-2 text-sm text-wait">
      <Icon name="warning" className="mt-0.5" />
      <p className="min-w-0">Nothing received yet. At {senders[sender]}, add a webhook to the address below with the secret. Events: {eventsOf[sender]}. Then send its test from there; it shows here at once.</p>
    </div>
  )
}
