import { api } from '@/api/client'
import type { Person, ProjectRole, Role } from '@/api/contract'
import { keys } from '@/api/keys'
import { errorOfField, fieldAtFault } from '@/lib/field-error'
import { projectsQuery } from '@/shell/projects'
import { Button, Dialog, ErrorNote, Field, Input, Select, toast } from '@/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { roleAbouts, roleNames, withRole } from './roles'

const FIELDS = ['name', 'role', 'projects'] as const

export function Access({ person, onClose }: { person: Person; onClose: () => void }) {
  const queries = useQueryClient()
  const projects = useQuery(projectsQuery).data ?? []
  const [name, setName] = useState(person.name)
  const [role, setRole] = useState<Role>(person.role)
  const [own, setOwn] = useState<ProjectRole[]>(person.projects)
  const save = useMutation({
    mutationFn: () => api.patch(`/api/people/${person.id}`, { name: name.trim(), role, projects: own }),
    onSuccess: async () => { await queries.invalidateQueries({ queryKey: keys.people }); void queries.invalidateQueries({ queryKey: keys.session }); onClose(); toast.done(`${name}: saved.`) },
  })
  const submit = (event: FormEvent) => { event.preventDefault(); if (!save.isPending) save.mutate() }
  return (
    <Dialog open onClose={onClose} title={`Roles of ${person.name}`} actions={<><Button onClick={onClose}>Cancel</Button><Button type="submit" form="access" kind="primary" sending={save.isPending}>Save</Button></>}>
      <form id="access" onSubmit={submit} className="flex flex-col gap-4">
        <Field label="Name" error={errorOfField(save.error, FIELDS, 'name')}>{(control) => <Input {...control} required value={name} onChange={(event) => setName(event.target.value)} />}</Field>
        <Field label="Role" error={errorOfField(save.error, FIELDS, 'role')}>
          {(control) => <Select {...control} value={role} onChange={(event) => setRole(event.target.value as Role)}>{(Object.keys(roleNames) as Role[]).map((one) => <option key={one} value={one}>{roleNames[one]}: {roleAbouts[one]}</option>)}</Select>}
        </Field>
        {role === 'admin' ? <p className="text-sm text-muted">Admins may do everything in every project.</p> : (
          <fieldset className="flex flex-col gap-2">
            <legend className="mb-1 text-sm font-medium">In projects</legend>
            {projects.length === 0 && <p className="text-sm text-muted">There is no project yet.</p>}
            {projects.map((project) => (
              <div key={project.id} className="grid grid-cols-[1fr_10rem] items-center gap-3">
                <label htmlFor={`role-${project.id}`} className="min-w-0 truncate text-sm">{project.name}</label>
                <Select id={`role-${project.id}`} value={own.find((one) => one.project_id === project.id)?.role ?? ''} onChange={(event) => setOwn(withRole(own, project.id, event.target.value as ProjectRole['role'] | ''))}>
                  <option value="">{role === 'none' ? 'nothing' : `as above (${role})`}</option><option value="member">member</option><option value="viewer">viewer</option>
                </Select>
              </div>
            ))}
          </fieldset>
        )}
        {save.error && fieldAtFault(save.error, FIELDS) === null && <ErrorNote what="Nothing was saved." error={save.error} />}
      </form>
    </Dialog>
  )
}
