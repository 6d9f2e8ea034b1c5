/** The project's secrets: variables for the commands that verify its tickets, and for the agent where that is said. Values go in, and are never shown. */
import { api } from '@/api/client'
import type { ProjectSecret } from '@/api/contract'
import { keys } from '@/api/keys'
import { Badge, Button, Card, Confirm, Dialog, EmptyState, ErrorNote, Skeleton, Table, TimeAgo, toast } from '@/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { SecretEntry } from './SecretEntry'

export function Secrets({ projectId, may }: { projectId: string; may: boolean }) {
  const queries = useQueryClient()
  const path = `/api/projects/${projectId}/secrets`
  const all = useQuery({ queryKey: keys.secrets(projectId), queryFn: ({ signal }) => api.get<ProjectSecret[]>(path, { signal }) })
  const [setting, setSetting] = useState<ProjectSecret | 'new' | null>(null)
  const [deleting, setDeleting] = useState<ProjectSecret | null>(null)
  const remove = useMutation({
    mutationFn: (secret: ProjectSecret) => api.delete(`${path}/${secret.name}`),
    onSuccess: () => { void queries.invalidateQueries({ queryKey: keys.secrets(projectId) }); setDeleting(null); toast.done('The secret is deleted.') },
  })
  const secrets = all.data
  const add = may && <Button kind={secrets?.length ? 'plain' : 'primary'} icon="plus" onClick={() => setSetting('new')}>Add a secret</Button>
  const change = { title: 'Change', cell: (one: ProjectSecret) => (
    <span className="flex flex-wrap gap-2">
      <Button size="small" onClick={() => setSetting(one)}>Replace<span className="sr-only"> {one.name}</span></Button>
      <Button size="small" kind="danger" onClick={() => { remove.reset(); setDeleting(one) }}>Delete<span className="sr-only"> {one.name}</span></Button>
    </span>
  ) }
  return (
    <div className="flex flex-col gap-4">
      <p className="text-sm text-muted">Setup and verification commands find them as environment variables. They are masked in logs and pull requests, and a file with one is not committed.{!may && ' Admins set them.'}</p>
      <Card title="Secrets" actions={secrets && secrets.length > 0 && add}>
        {all.error && <ErrorNote error={all.error} onRetry={() => void all.refetch()} />}
        {all.isPending && <Skeleton label="Loading the secrets" />}
        {secrets?.length === 0 && <EmptyState icon="link" title="No secrets" action={add || undefined}>Add one if a command needs a token, a password or a key. Use those of a test system: the commands run what the agent wrote.</EmptyState>}
        {secrets && secrets.length > 0 && (
          <Table
            caption="Secrets" rows={secrets} id={(one) => one.name}
            columns={[
              { title: 'Name', className: 'min-w-36', cell: (one) => <code className="font-medium break-all">{one.name}</code> },
              { title: 'Given to', cell: (one) => one.given_to_agent ? <Badge tone="wait">Commands and agent</Badge> : <Badge tone="quiet">Commands</Badge> },
              { title: 'Set', cell: (one) => <TimeAgo at={one.set_at} className="whitespace-nowrap" /> },
              ...(may ? [change] : []),
            ]}
          />
        )}
      </Card>
      <Dialog open={setting !== null} onClose={() => setSetting(null)} title={setting === 'new' || setting === null ? 'Add a secret' : `Replace ${setting.name}`} about="It is encrypted, and never shown again. It counts for attempts that begin from now on.">
        {setting && <SecretEntry projectId={projectId} replaced={setting === 'new' ? null : setting} onClose={() => setSetting(null)} />}
      </Dialog>
      {deleting && (
        <Confirm open onClose={() => setDeleting(null)} title={`Delete ${deleting.name}?`} action="Delete the secret" sending={remove.isPending} error={remove.error} onConfirm={() => remove.mutate(deleting)}>
          <p>Commands that need it fail from the next attempt on. Attempts that run keep it to their end.</p>
        </Confirm>
      )}
    </div>
  )
}
