import { api } from '@/api/client'
import { keys } from '@/api/keys'
import type { Project } from '@/api/types'
import { errorOfField, fieldAtFault } from '@/lib/field-error'
import { FORGE_FIELDS, forgeChangesOf, type ForgeValues, forgeValuesOf } from '@/parts/forge-fields'
import { senders } from '@/parts/forges'
import { Unsaved } from '@/shell/unsaved'
import { Button, Card, Checkbox, ErrorNote, Field, Input, Select, toast } from '@/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'

export function ForgeForm({ project, may }: { project: Project; may: boolean }) {
  const queries = useQueryClient()
  const [edits, setEdits] = useState<Partial<ForgeValues>>({})
  const stored = forgeValuesOf(project)
  const values = { ...stored, ...edits }
  const changes = forgeChangesOf(stored, values)
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
  const set = <Name extends keyof ForgeValues>(name: Name, value: ForgeValues[Name]) => setEdits({ ...edits, [name]: value })
  const error = (name: string) => errorOfField(save.error, FORGE_FIELDS, name)
  const submit = (event: FormEvent) => { event.preventDefault(); if (dirty && !save.isPending) save.mutate() }
  const number = (name: 'review_quiet_sec' | 'max_check_fixes', label: string, hint: string, high: number) => (
    <Field label={label} hint={hint} error={error(name)}>
      {(control) => <Input {...control} disabled={!may} type="number" min={0} max={high} required value={values[name]} onChange={(event) => set(name, event.target.value)} />}
    </Field>
  )
  const text = (name: 'review_bots' | 'issue_label', label: string, hint: string) => (
    <Field label={label} hint={hint} error={error(name)}>
      {(control) => <Input {...control} disabled={!may} spellCheck={false} value={values[name]} onChange={(event) => set(name, event.target.value)} />}
    </Field>
  )
  return (
    <Card title="Reviews">
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Unsaved when={dirty} />
        <div className="grid gap-4 md:grid-cols-2">
          <Field label="What the agent works on" hint="Only from people who may write to the repository." error={error('review_trigger')}>
            {(control) => (
              <Select {...control} disabled={!may} value={values.review_trigger} onChange={(event) => set('review_trigger', event.target.value)}>
                <option value="changes_or_mention">reviews that ask for changes, and mentions</option>
                <option value="changes">reviews that ask for changes</option>
                <option value="mention">comments that mention the bot</option>
                <option value="any">any comment</option>
              </Select>
            )}
          </Field>
          {number('review_quiet_sec', 'Quiet time, in seconds', 'Comments become one job once none has come for so long.', 86_400)}
          {text('review_bots', 'Bots that count', 'By name, such as renovate[bot]; several with commas.')}
          {number('max_check_fixes', 'Fixes of failing checks', 'How often failing checks of one pull request are given to the agent.', 100)}
          <Field label="When the base moves" hint="How a pull request’s branch gets what is new." error={error('base_update')}>
            {(control) => <Select {...control} disabled={!may} value={values.base_update} onChange={(event) => set('base_update', event.target.value)}><option value="merge">the base is merged into it</option><option value="rebase">it is rebased on the base</option></Select>}
          </Field>
          {text('issue_label', 'Label of issues', 'Issues with this label become tickets. Empty: none do.')}
          <Field label="Forge" hint="Set it where the address does not say it." error={error('forge_kind')}>
            {(control) => <Select {...control} disabled={!may} value={values.forge_kind} onChange={(event) => set('forge_kind', event.target.value)}><option value="">found from the address</option>{Object.entries(senders).map(([id, name]) => <option key={id} value={id}>{name}</option>)}</Select>}
          </Field>
          <div className="self-center"><Checkbox label="Delete merged branches" hint="The ticket’s own branch, once its pull request is merged." disabled={!may} checked={values.delete_merged_branch} onChange={(event) => set('delete_merged_branch', event.target.checked)} /></div>
        </div>
        {save.error && fieldAtFault(save.error, FORGE_FIELDS) === null && <ErrorNote what="Nothing was saved." error={save.error} />}
        {may ? (
          <div className="flex flex-wrap items-center gap-3">
            <Button type="submit" kind="primary" disabled={!dirty} sending={save.isPending}>Save</Button>
            {dirty && <Button onClick={() => { setEdits({}); save.reset() }}>Undo the changes</Button>}
            <span role="status" className="text-sm text-muted">{dirty && !save.isPending ? 'Not saved yet.' : ''}</span>
          </div>
        ) : <p className="text-sm text-muted">Admins can change this.</p>}
      </form>
    </Card>
  )
}
