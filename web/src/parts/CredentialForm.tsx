import { api } from '@/api/client'
import type { Credential } from '@/api/contract'
import { keys } from '@/api/keys'
import { errorOfField, fieldAtFault } from '@/lib/field-error'
import { Button, ErrorNote, Field, Input, Select, toast } from '@/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'

const FIELDS = ['name', 'host', 'kind', 'secret'] as const

export function CredentialForm({ projectId, host, onClose }: { projectId: string | null; host: string; onClose: () => void }) {
  const queries = useQueryClient()
  const [values, setValues] = useState({ name: '', host, kind: 'bot', secret: '' })
  const save = useMutation({
    mutationFn: () => api.post<Credential>('/api/credentials', { ...values, name: values.name.trim(), host: values.host.trim(), ...(projectId ? { project_id: projectId } : {}) }),
    onSuccess: (stored) => {
      void queries.invalidateQueries({ queryKey: keys.credentials })
      // Whether a pull request can be approved depends on it.
      void queries.invalidateQueries({ queryKey: keys.reviews })
      toast.done(`${stored.name} is stored.`)
      onClose()
    },
  })
  const set = (name: (typeof FIELDS)[number]) => (event: { target: { value: string } }) => setValues({ ...values, [name]: event.target.value })
  const error = (field: string) => errorOfField(save.error, FIELDS, field)
  const submit = (event: FormEvent) => { event.preventDefault(); if (!save.isPending) save.mutate() }
  return (
    <form onSubmit={submit} className="flex flex-col gap-3">
      <Field label="Name" hint="What people call it." error={error('name')}>{(control) => <Input {...control} autoFocus required value={values.name} onChange={set('name')} />}</Field>
      <Field label="Host" hint="As in the repository’s address, such as github.com or git.example:3000. It goes nowhere else." error={error('host')}>{(control) => <Input {...control} required spellCheck={false} value={values.host} onChange={set('host')} />}</Field>
      <Field label="For" error={error('kind')}>
        {(control) => <Select {...control} value={values.kind} onChange={set('kind')}><option value="bot">the bot: read, comment, merge</option><option value="approver">approving: an account other than the bot’s</option></Select>}
      </Field>
      <Field label="Token" error={error('secret')}>{(control) => <Input {...control} type="password" required autoComplete="off" value={values.secret} onChange={set('secret')} />}</Field>
      {save.error && fieldAtFault(save.error, FIELDS) === null && <ErrorNote what="Nothing was stored." error={save.error} />}
      <div className="flex gap-2"><Button type="submit" kind="primary" sending={save.isPending}>Store it</Button><Button onClick={onClose}>Cancel</Button></div>
    </form>
  )
}
