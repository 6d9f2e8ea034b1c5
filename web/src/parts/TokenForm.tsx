/** Makes a token of the API. Shown once. */
import { api } from '@/api/client'
import type { Token } from '@/api/contract'
import { keys } from '@/api/keys'
import { errorOfField, fieldAtFault } from '@/lib/field-error'
import { projectsQuery } from '@/shell/projects'
import { isAdmin, useSession } from '@/shell/session'
import { Button, ErrorNote, Field, Input, Select } from '@/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { OnceBox } from './OnceBox'

const FIELDS = ['name', 'scope', 'role', 'project_id', 'expires_in_sec'] as const
const DAY = 86_400
const LIVES = [['30 days', 30 * DAY], ['90 days', 90 * DAY], ['a year', 365 * DAY], ['for ever', 0]] as const
export const scopes: Record<Token['scope'], string> = { app: 'Use the API, as the command does', worker: 'A host: claim jobs and report', ingest: 'Send data in only' }

export function TokenForm({ onClose }: { onClose: () => void }) {
  const queries = useQueryClient()
  const session = useSession()
  const admin = isAdmin(session)
  const projects = useQuery(projectsQuery).data ?? []
  const [name, setName] = useState('')
  const [scope, setScope] = useState<Token['scope']>('app')
  const [role, setRole] = useState(session.role === 'viewer' || session.role === 'none' ? 'viewer' : 'member')
  const [project, setProject] = useState('')
  const [life, setLife] = useState<number>(90 * DAY)
  const make = useMutation({
    mutationFn: () => api.post<Token & { token: string }>('/api/tokens', {
      name: name.trim(), scope, ...(scope === 'app' ? { role } : {}), ...(project ? { project_id: project } : {}), ...(life ? { expires_in_sec: life } : {}),
    }),
    onSuccess: () => queries.invalidateQueries({ queryKey: keys.tokens }),
  })
  if (make.data) return <OnceBox label="Token" text={make.data.token}><div><Button kind="primary" onClick={onClose}>I have copied it</Button></div></OnceBox>
  const submit = (event: FormEvent) => { event.preventDefault(); if (!make.isPending) make.mutate() }
  const error = (field: string) => errorOfField(make.error, FIELDS, field)
  return (
    <form onSubmit={submit} className="flex flex-col gap-3">
      <Field label="Name" hint="What uses it, so that you know it later." error={error('name')}>{(control) => <Input {...control} autoFocus required value={name} onChange={(event) => setName(event.target.value)} />}</Field>
      <Field label="It may" error={error('scope')}>
        {(control) => <Select {...control} value={scope} onChange={(event) => setScope(event.target.value as Token['scope'])}>{Object.entries(scopes).filter(([id]) => admin || id === 'app').map(([id, about]) => <option key={id} value={id}>{about}</option>)}</Select>}
      </Field>
      {scope === 'app' && (
        <Field label="As" hint="Never more than you may yourself." error={error('role')}>
          {(control) => <Select {...control} value={role} onChange={(event) => setRole(event.target.value)}>{admin && <option value="admin">admin: everything</option>}{session.role !== 'viewer' && <option value="member">member: work on tickets</option>}<option value="viewer">viewer: only look</option></Select>}
        </Field>
      )}
      <Field label="In" error={error('project_id')}>
        {(control) => <Select {...control} value={project} onChange={(event) => setProject(event.target.value)}><option value="">every project</option>{projects.map((one) => <option key={one.id} value={one.id}>{one.name}</option>)}</Select>}
      </Field>
      <Field label="Works for" error={error('expires_in_sec')}>
        {(control) => <Select {...control} value={life} onChange={(event) => setLife(Number(event.target.value))}>{LIVES.map(([label, sec]) => <option key={sec} value={sec}>{label}</option>)}</Select>}
      </Field>
      {make.error && fieldAtFault(make.error, FIELDS) === null && <ErrorNote error={make.error} />}
      <div className="flex gap-2"><Button type="submit" kind="primary" sending={make.isPending}>Make the token</Button><Button onClick={onClose}>Cancel</Button></div>
    </form>
  )
}
