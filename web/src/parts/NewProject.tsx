/** Makes a project. What was typed stays when it is closed or refused. */
import { api } from '@/api/client'
import { keys } from '@/api/keys'
import type { Project } from '@/api/types'
import { errorOfField, fieldAtFault } from '@/lib/field-error'
import { Button, Checkbox, ErrorNote, Field, Input } from '@/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { nameOfRepository, newProject } from './project-fields'

const FIELDS = ['name', 'github_url'] as const
let draft = { name: '', github_url: '', hasCode: true }

export function NewProjectForm({ onMade, label = 'Make the project' }: { onMade: (project: Project) => void; label?: string }) {
  const queries = useQueryClient()
  const [values, setValues] = useState(draft)
  const [named, setNamed] = useState(draft.name !== '')
  const set = (change: Partial<typeof draft>) => { draft = { ...values, ...change }; setValues(draft) }
  const make = useMutation({
    mutationFn: () => api.post<Project>('/api/projects', newProject(values)),
    onSuccess: async (project) => {
      draft = { name: '', github_url: '', hasCode: true }
      queries.setQueryData(keys.project(project.id), project)
      await queries.invalidateQueries({ queryKey: keys.projects })
      onMade(project)
    },
  })
  const submit = (event: FormEvent) => { event.preventDefault(); if (!make.isPending) make.mutate() }
  return (
    <form onSubmit={submit} className="flex flex-col gap-3">
      <Field label="Repository" hint="Its address, for example https://github.com/owner/name." error={errorOfField(make.error, FIELDS, 'github_url')}>
        {(control) => (
          <Input
            {...control} type="text" inputMode="url" autoCapitalize="off" spellCheck={false} required autoFocus value={values.github_url}
            onChange={(event) => set({ github_url: event.target.value, ...(named ? {} : { name: nameOfRepository(event.target.value) }) })}
          />
        )}
      </Field>
      <Field label="Name" error={errorOfField(make.error, FIELDS, 'name')}>
        {(control) => <Input {...control} required value={values.name} onChange={(event) => { setNamed(true); set({ name: event.target.value }) }} />}
      </Field>
      <Checkbox label="It has code already" hint="An empty repository gets a first ticket that sets it up." checked={values.hasCode} onChange={(event) => set({ hasCode: event.target.checked })} />
      {make.error && fieldAtFault(make.error, FIELDS) === null && <ErrorNote error={make.error} />}
      <div><Button type="submit" kind="primary" sending={make.isPending}>{label}</Button></div>
    </form>
  )
}
