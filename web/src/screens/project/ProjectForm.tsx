import { api } from '@/api/client'
import { keys } from '@/api/keys'
import type { Project } from '@/api/types'
import { errorOfField, fieldAtFault } from '@/lib/field-error'
import { changesOf, PROJECT_FIELDS, type ProjectValues, valuesOf } from '@/parts/project-fields'
import { isAdmin, useSession } from '@/shell/session'
import { Unsaved } from '@/shell/unsaved'
import { Button, Card, Checkbox, ErrorNote, Field, Input, Select, Textarea, toast } from '@/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { DeleteProject } from './DeleteProject'

export function ProjectForm({ project, may }: { project: Project; may: boolean }) {
  const queries = useQueryClient()
  const admin = isAdmin(useSession())
  // What this form began with. Fields that nobody touched here follow what others change.
  const [edits, setEdits] = useState<Partial<ProjectValues>>({})
  const stored = valuesOf(project)
  const values = { ...stored, ...edits }
  const changes = changesOf(stored, values)
  const dirty = Object.keys(changes).length > 0
  const save = useMutation({
    mutationFn: () => api.put<Project>(`/api/projects/${project.id}`, changes),
    onSuccess: (next) => {
      queries.setQueryData(keys.project(project.id), next)
      void queries.invalidateQueries({ queryKey: keys.projects })
      setEdits({})
      toast.done('The project is saved.')
    },
  })
  const set = <Name extends keyof ProjectValues>(name: Name, value: ProjectValues[Name]) => setEdits({ ...edits, [name]: value })
  const error = (name: string) => errorOfField(save.error, PROJECT_FIELDS, name)
  const submit = (event: FormEvent) => { event.preventDefault(); if (dirty && !save.isPending) save.mutate() }
  const text = (name: 'name' | 'github_url' | 'agent_image' | 'project_path', label: string, hint?: string, required = false) => (
    <Field label={label} hint={hint} error={error(name)}>
      {(control) => <Input {...control} disabled={!may} required={required} spellCheck={name === 'name'} value={values[name]} onChange={(event) => set(name, event.target.value)} />}
    </Field>
  )
  const number = (name: 'max_running' | 'weight' | 'retry_agent_failures', label: string, hint: string, low: number, high: number) => (
    <Field label={label} hint={hint} error={error(name)}>
      {(control) => <Input {...control} disabled={!may} type="number" min={low} max={high} required={name !== 'max_running'} value={values[name]} onChange={(event) => set(name, event.target.value)} />}
    </Field>
  )
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <Unsaved when={dirty} />
      <Card title="Project">
        <div className="grid gap-4 md:grid-cols-2">
          {text('name', 'Name', undefined, true)}
          {text('github_url', 'Repository', 'The address with which it is cloned.')}
          <Field label="Description" hint="Agents read it too." className="md:col-span-2" error={error('description')}>
            {(control) => <Textarea {...control} disabled={!may} value={values.description} onChange={(event) => set('description', event.target.value)} />}
          </Field>
          <p className="text-xs text-muted md:col-span-2">
            Repositories are cloned and pushed with the forge token of this server. {admin ? <><Link to="/settings" className="underline" search={{ show: 'forge' }}>Change the token</Link> or </> : 'An admin can change it. '}<Link to="/projects/$projectId" className="underline" params={{ projectId: project.id }} search={{ show: 'checks' }}>check what it may do</Link>.
          </p>
        </div>
      </Card>
      <Card title="Limits">
        <div className="grid gap-4 md:grid-cols-3">
          {number('max_running', 'Jobs at once', 'Empty: as many as there are free slots.', 1, 10_000)}
          {number('weight', 'Share', 'Relative to other projects, when slots are short.', 1, 1_000)}
          {number('retry_agent_failures', 'Retries', 'How often it tries again when the agent itself failed.', 0, 100)}
        </div>
      </Card>
      <Card title="How it works">
        <div className="grid gap-4 md:grid-cols-2">
          <Field label="A branch that is continued" hint="How it gets what the base got since." error={error('update_strategy')}>
            {(control) => <Select {...control} disabled={!may} value={values.update_strategy} onChange={(event) => set('update_strategy', event.target.value)}><option value="merge">merges the base</option><option value="rebase">is rebased on the base</option></Select>}
          </Field>
          {text('agent_image', 'Image', 'The container image for its jobs. Empty: the one of the host.')}
          <Field label="Runs" error={error('execution_mode')}>
            {(control) => <Select {...control} disabled={!may} value={values.execution_mode} onChange={(event) => set('execution_mode', event.target.value)}><option value="docker">in a container</option><option value="local">on the host itself, without a container</option></Select>}
          </Field>
          {values.execution_mode === 'local' && text('project_path', 'Folder on the host', 'An absolute path to a checkout.')}
          <div className="self-center"><Checkbox label="Fetch submodules" disabled={!may} checked={values.submodules} onChange={(event) => set('submodules', event.target.checked)} /></div>
        </div>
      </Card>
      {save.error && fieldAtFault(save.error, PROJECT_FIELDS) === null && <ErrorNote what="Nothing was saved." error={save.error} />}
      {may && (
        <div className="flex flex-wrap items-center gap-3">
          <Button type="submit" kind="primary" disabled={!dirty} sending={save.isPending}>Save</Button>
          {dirty && <Button onClick={() => { setEdits({}); save.reset() }}>Undo the changes</Button>}
          <span role="status" className="text-sm text-muted">{save.isPending ? '' : dirty ? 'Not saved yet.' : ''}</span>
          {admin && <span className="ml-auto"><DeleteProject project={project} /></span>}
        </div>
      )}
    </form>
  )
}
