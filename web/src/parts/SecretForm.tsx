import { api } from '@/api/client'
import type { NewSecret } from '@/api/contract'
import { keys } from '@/api/keys'
import { errorOfField, fieldAtFault } from '@/lib/field-error'
import { Button, CopyBox, ErrorNote, Field, Input, Select } from '@/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { eventsOf, type Sender, senders } from './forges'
import { OnceBox } from './OnceBox'

const FIELDS = ['sender', 'kind', 'secret'] as const

export function SecretForm({ projectId, sender, fixed, onClose }: { projectId: string | null; sender: Sender | null; fixed: boolean; onClose: () => void }) {
  const queries = useQueryClient()
  const [from, setFrom] = useState<Sender>(sender ?? 'github')
  const [secret, setSecret] = useState('')
  const make = useMutation({
    mutationFn: () => api.post<NewSecret>('/api/webhook-secrets', { sender: from, ...(projectId ? { project_id: projectId } : {}), ...(secret.trim() ? { secret: secret.trim(), ...(secret.trim().startsWith('whsec_') ? { kind: 'signing' } : {}) } : {}) }),
    onSuccess: () => queries.invalidateQueries({ queryKey: keys.webhookSecrets }),
  })
  if (make.data) {
    return (
      <OnceBox label="Secret" text={make.data.secret}>
        <p className="text-sm font-medium">The address to send to</p>
        <CopyBox label="Address" text={new URL(make.data.path, window.location.origin).href} />
        <p className="text-sm text-muted">At {senders[from]}, add a webhook to this address with this secret. Events: {eventsOf[from]}.</p>
        <div><Button kind="primary" onClick={onClose}>I have copied it</Button></div>
      </OnceBox>
    )
  }
  const submit = (event: FormEvent) => { event.preventDefault(); if (!make.isPending) make.mutate() }
  const error = (field: string) => errorOfField(make.error, FIELDS, field)
  return (
    <form onSubmit={submit} className="flex flex-col gap-3">
      <Field label="Forge" error={error('sender')}>
        {(control) => <Select {...control} disabled={fixed} value={from} onChange={(event) => setFrom(event.target.value as Sender)}>{Object.entries(senders).map(([id, name]) => <option key={id} value={id}>{name}</option>)}</Select>}
      </Field>
      {from === 'gitlab' && (
        <Field label="Signing token" hint="Only if GitLab made one; it begins with whsec_. Empty: a secret is made here." error={error('secret')}>
          {(control) => <Input {...control} type="password" autoComplete="off" value={secret} onChange={(event) => setSecret(event.target.value)} />}
        </Field>
      )}
      {make.error && fieldAtFault(make.error, FIELDS) === null && <ErrorNote what="No secret was made." error={make.error} />}
      <div className="flex gap-2"><Button type="submit" kind="primary" sending={make.isPending}>Make the secret</Button><Button onClick={onClose}>Cancel</Button></div>
    </form>
  )
}
