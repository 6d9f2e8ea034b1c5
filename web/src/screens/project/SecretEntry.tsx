import { api } from '@/api/client'
import type { ProjectSecret } from '@/api/contract'
import { keys } from '@/api/keys'
import { errorOfField, fieldAtFault } from '@/lib/field-error'
import { Button, Checkbox, ErrorNote, Field, Input, Textarea, toast } from '@/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'

const FIELDS = ['value'] as const

/** Sets a secret of a project, or replaces one: its value has to be given again. */
export function SecretEntry({ projectId, replaced, onClose }: { projectId: string; replaced: ProjectSecret | null; onClose: () => void }) {
  const queries = useQueryClient()
  const [name, setName] = useState(replaced?.name ?? '')
  const [value, setValue] = useState('')
  const [given, setGiven] = useState(replaced?.given_to_agent ?? false)
  const save = useMutation({
    mutationFn: () => api.put<ProjectSecret>(`/api/projects/${projectId}/secrets/${encodeURIComponent(name.trim())}`, { value, given_to_agent: given }),
    onSuccess: (stored) => {
      void queries.invalidateQueries({ queryKey: keys.secrets(projectId) })
      toast.done(`${stored.name} is stored.`)
      onClose()
    },
  })
  const submit = (event: FormEvent) => { event.preventDefault(); if (!save.isPending) save.mutate() }
  return (
    <form onSubmit={submit} className="flex flex-col gap-3">
      <Field label="Name" hint="The variable: capital letters, digits and underscores, such as NPM_TOKEN.">
        {(control) => <Input {...control} autoFocus={!replaced} required disabled={replaced !== null} spellCheck={false} autoComplete="off" className="font-mono" value={name} onChange={(event) => setName(event.target.value)} />}
      </Field>
      <Field label="Value" hint="At least 8 characters; a key of several lines stays as it is." error={errorOfField(save.error, FIELDS, 'value')}>
        {(control) => <Textarea {...control} autoFocus={replaced !== null} required rows={3} spellCheck={false} autoComplete="off" className="font-mono text-sm" value={value} onChange={(event) => setValue(event.target.value)} />}
      </Field>
      <Checkbox label="Give it to the agent too" hint="The agent can read it, send it to its model, and do with it what it likes. Without this mark the commands alone get it." checked={given} onChange={(event) => setGiven(event.target.checked)} />
      {save.error && fieldAtFault(save.error, FIELDS) === null && <ErrorNote what="Nothing was stored." error={save.error} />}
      <div className="flex gap-2"><Button type="submit" kind="primary" sending={save.isPending}>Store it</Button><Button onClick={onClose}>Cancel</Button></div>
    </form>
  )
}
