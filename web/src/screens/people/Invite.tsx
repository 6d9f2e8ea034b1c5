import { api } from '@/api/client'
import type { Invitation, Role } from '@/api/contract'
import { keys } from '@/api/keys'
import { errorOfField, fieldAtFault } from '@/lib/field-error'
import { exactly } from '@/lib/time'
import { OnceBox } from '@/parts/OnceBox'
import { projectsQuery } from '@/shell/projects'
import { Button, ErrorNote, Field, Input, Select } from '@/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { roleAbouts, roleNames } from './roles'

const FIELDS = ['email', 'role', 'project_id'] as const

export function Invite({ onClose }: { onClose: () => void }) {
  const queries = useQueryClient()
  const projects = useQuery(projectsQuery).data ?? []
  const [email, setEmail] = useState('')
  const [role, setRole] = useState<Exclude<Role, 'none'>>('member')
  const [project, setProject] = useState('')
  const make = useMutation({
    mutationFn: () => api.post<Invitation & { link: string }>('/api/invitations', { role, ...(email.trim() ? { email: email.trim() } : {}), ...(project && role !== 'admin' ? { project_id: project } : {}) }),
    onSuccess: () => queries.invalidateQueries({ queryKey: keys.invitations }),
  })
  if (make.data) {
    return (
      <OnceBox label="Link of the invitation" text={make.data.link}>
        <p className="text-sm text-muted">Send it to {make.data.email ?? 'whom you want to invite'}. It works once, until {exactly(make.data.expires_at)}.{make.data.email === null && ' Whoever opens it first gets the account.'}</p>
        <div className="flex gap-2"><Button kind="primary" onClick={onClose}>I have copied it</Button><Button onClick={() => { make.reset(); setEmail('') }}>Invite another one</Button></div>
      </OnceBox>
    )
  }
  const submit = (event: FormEvent) => { event.preventDefault(); if (!make.isPending) make.mutate() }
  const error = (field: string) => errorOfField(make.error, FIELDS, field)
  return (
    <form onSubmit={submit} className="flex flex-col gap-3">
      <p className="text-sm text-muted">You get a link to send. No email is sent from here.</p>
      <Field label="Email" hint="With it, only this address can use the link. May be empty." error={error('email')}>{(control) => <Input {...control} type="email" autoComplete="off" autoFocus value={email} onChange={(event) => setEmail(event.target.value)} />}</Field>
      <Field label="Role" error={error('role')}>
        {(control) => <Select {...control} value={role} onChange={(event) => setRole(event.target.value as typeof role)}>{(['member', 'viewer', 'admin'] as const).map((one) => <option key={one} value={one}>{roleNames[one]}: {project ? roleAbouts[one].replace('every project', 'this project') : roleAbouts[one]}</option>)}</Select>}
      </Field>
      {role !== 'admin' && (
        <Field label="In" error={error('project_id')}>
          {(control) => <Select {...control} value={project} onChange={(event) => setProject(event.target.value)}><option value="">every project</option>{projects.map((one) => <option key={one.id} value={one.id}>{one.name} alone</option>)}</Select>}
        </Field>
      )}
      {make.error && fieldAtFault(make.error, FIELDS) === null && <ErrorNote error={make.error} />}
      <div className="flex gap-2"><Button type="submit" kind="primary" sending={make.isPending}>Make the link</Button><Button onClick={onClose}>Cancel</Button></div>
    </form>
  )
}
