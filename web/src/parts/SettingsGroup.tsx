/** One group of settings: edit, test, save. What was typed stays when saving fails. */
import { api } from '@/api/client'
import type { TestResult } from '@/api/contract'
import { keys } from '@/api/keys'
import { errorOfField, fieldAtFault } from '@/lib/field-error'
import { took } from '@/lib/time'
import { Unsaved } from '@/shell/unsaved'
import { Badge, Button, Card, ErrorNote, Field, Icon, Input, Linked, Output, Select, toast } from '@/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { changedSettings, fieldsOf, type SettingField, type SettingGroup, type SettingValues, testNeedsKey } from './settings'

export function SettingsGroup({ group, stored, onSaved, level = 2 }: { group: SettingGroup; stored: SettingValues; onSaved?: () => void; level?: 2 | 3 }) {
  const queries = useQueryClient()
  const [edits, setEdits] = useState<Record<string, string>>({})
  const fields = fieldsOf(group, stored)
  const names = fields.map((field) => field.name)
  const changes = changedSettings(stored, edits)
  const dirty = Object.keys(changes).length > 0
  const test = useMutation({ mutationFn: () => api.post<TestResult>('/api/settings/test', { what: group.test, values: changes }) })
  const save = useMutation({
    mutationFn: () => api.put<SettingValues>('/api/settings', changes),
    onSuccess: (next) => {
      queries.setQueryData(keys.settings, next)
      void queries.invalidateQueries({ queryKey: keys.readiness })
      setEdits({})
      toast.done(`${group.title}: saved.`)
      onSaved?.()
    },
  })
  const submit = (event: FormEvent) => { event.preventDefault(); if (dirty && !save.isPending) save.mutate() }
  const set = (name: string, value: string | null) => {
    const { [name]: _, ...rest } = edits
    setEdits(value === null ? rest : { ...rest, [name]: value })
    test.reset()
  }
  return (
    <Card title={group.title} level={level}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Unsaved when={dirty} />
        <p className="text-sm text-muted">{group.about}</p>
        <div className="grid gap-4 md:grid-cols-2">
          {fields.map((field) => (
            <Control key={field.name} field={field} stored={stored[field.name] ?? null} edit={edits[field.name]} error={errorOfField(save.error, names, field.name)} onEdit={(value) => set(field.name, value)} />
          ))}
        </div>
        {save.error && fieldAtFault(save.error, names) === null && <ErrorNote what="Nothing was saved." error={save.error} />}
        <div className="flex flex-wrap items-center gap-2">
          <Button type="submit" kind="primary" disabled={!dirty} sending={save.isPending}>Save<span className="sr-only"> {group.title}</span></Button>
          {group.test && <Button icon="play" sending={test.isPending} disabled={testNeedsKey(group, stored, changes)} onClick={() => test.mutate()}>{test.isPending ? 'Asking' : 'Test'}<span className="sr-only"> {group.title}</span></Button>}
          {dirty && <Button kind="ghost" onClick={() => { setEdits({}); save.reset(); test.reset() }}>Undo</Button>}
          <span role="status" className="text-sm text-muted">{testNeedsKey(group, stored, changes) ? 'To test another address, type its key: the stored one is only sent to the stored address.' : dirty ? (group.test ? 'Not saved yet. The test uses what you typed.' : 'Not saved yet.') : ''}</span>
        </div>
        <Answer result={test.data} error={test.error} />
      </form>
    </Card>
  )
}

/** What the server answered to a test. */
function Answer({ result, error }: { result: TestResult | undefined; error: unknown }) {
  if (error) return <ErrorNote what="The test could not be made." error={error} />
  if (!result) return null
  return (
    <div role="status" className={`flex gap-2 rounded-md px-3 py-2 text-sm ${result.ok ? 'bg-good-soft' : 'bg-bad-soft'}`}>
      <Icon name={result.ok ? 'done' : 'failed'} className={`mt-0.5 ${result.ok ? 'text-good' : 'text-bad'}`} />
      <div className="min-w-0 grow">
        <p className="font-medium"><Linked text={result.sentence} /></p>
        <p className="text-xs text-ink">{result.model && <>It calls itself {result.model}. </>}It took {took(result.took_ms)}.</p>
        {result.detail && <Output label="What it answered" text={result.detail} className="mt-2 max-h-40" />}
      </div>
    </div>
  )
}

interface ControlProps { field: SettingField; stored: string | boolean | null; edit: string | undefined; error: string | null; onEdit: (value: string | null) => void }

function Control({ field, stored, edit, error, onEdit }: ControlProps) {
  if (field.type === 'secret') return <Secret field={field} isSet={stored === true} edit={edit} error={error} onEdit={onEdit} />
  const value = edit ?? (stored === null ? '' : String(stored))
  return (
    <Field label={field.label} hint={field.hint} error={error}>
      {(control) => field.type === 'switch' ? (
        <Select {...control} value={['1', 'true'].includes(value) ? '1' : value === '' ? '' : '0'} onChange={(event) => onEdit(event.target.value)}><option value="">Not set</option><option value="0">No</option><option value="1">Yes</option></Select>
      ) : (
        <Input
          {...control} type={field.type === 'number' ? 'number' : 'text'} inputMode={field.type === 'url' ? 'url' : undefined} min={field.low} max={field.high} placeholder={field.placeholder}
          spellCheck={false} autoCapitalize="off" autoComplete="off" value={value} onChange={(event) => onEdit(event.target.value)}
        />
      )}
    </Field>
  )
}

/** A secret is never shown: only whether it is set. */
function Secret({ field, isSet, edit, error, onEdit }: { field: SettingField; isSet: boolean; edit: string | undefined; error: string | null; onEdit: (value: string | null) => void }) {
  if (edit === undefined) {
    return (
      <div className="flex flex-col gap-1">
        <span className="text-sm font-medium">{field.label}</span>
        <div className="flex min-h-9 flex-wrap items-center gap-2">
          <Badge tone={isSet ? 'good' : 'quiet'} icon={isSet ? 'check' : undefined}>{isSet ? 'Set' : 'Not set'}</Badge>
          <Button size="small" onClick={() => onEdit(' ')}>{isSet ? 'Replace' : 'Set'}<span className="sr-only"> {field.label}</span></Button>
          {isSet && <Button size="small" kind="danger" onClick={() => onEdit('')}>Remove<span className="sr-only"> {field.label}</span></Button>}
        </div>
        {field.hint && <p className="text-xs text-muted">{field.hint}</p>}
      </div>
    )
  }
  if (edit === '' && isSet) {
    return (
      <div className="flex flex-col gap-1">
        <span className="text-sm font-medium">{field.label}</span>
        <div className="flex min-h-9 items-center gap-2 text-sm"><Badge tone="bad">Removed when you save</Badge><Button size="small" onClick={() => onEdit(null)}>Keep it</Button></div>
      </div>
    )
  }
  return (
    <Field label={field.label} hint={field.hint} error={error}>
      {(control) => (
        <span className="flex gap-2">
          <Input {...control} type="password" autoFocus autoComplete="off" data-1p-ignore value={edit.trim()} onChange={(event) => onEdit(event.target.value || ' ')} />
          <Button onClick={() => onEdit(null)}>Cancel</Button>
        </span>
      )}
    </Field>
  )
}
