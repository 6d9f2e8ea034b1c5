/** The fields of what a work order says: its objective, its lines, and what else an agent should know. Orders and schedules use them. */
import { api } from '@/api/client'
import type { CatalogueAgent, Repo } from '@/api/contract'
import { keys } from '@/api/keys'
import { Button, ErrorNote, Field, IconButton, Input, Select, Textarea } from '@/ui'
import { queryOptions, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { type ContentValues, type LineValues, moved, newLine, usesMore } from './order-content'

const reposQuery = queryOptions({ queryKey: keys.repos, queryFn: ({ signal }) => api.get<{ repos: Repo[] }>('/api/v1/repos', { signal }) })
const agentsQuery = queryOptions({ queryKey: keys.agents, queryFn: ({ signal }) => api.get<{ agents: CatalogueAgent[] }>('/api/v1/agents', { signal }) })

/** The repositories, once they are known: for names beside what a screen is about. */
export function useRepos(): Repo[] | undefined {
  return useQuery(reposQuery).data?.repos
}

interface PlaceProps { repo: string; agent: string; onChange: (place: { repo?: string; agent?: string }) => void; repoError: string | null; agentError: string | null; required: boolean }

/** Where an order is worked on, and by whom. */
export function PlaceFields({ repo, agent, onChange, repoError, agentError, required }: PlaceProps) {
  const [reposFound, agentsFound] = [useQuery(reposQuery), useQuery(agentsQuery)]
  const [repos, agents] = [reposFound.data?.repos, agentsFound.data?.agents]
  const missing = [reposFound, agentsFound].find((query) => query.error && !query.data)
  return (
    <div className="grid gap-4 sm:grid-cols-2">
      {missing && <ErrorNote className="sm:col-span-2" what="Repositories and agents could not be loaded." error={missing.error} onRetry={() => { for (const query of [reposFound, agentsFound]) if (query.error) void query.refetch() }} />}
      <Field label="Repository" hint={repos?.length === 0 ? 'There is none yet: a repository is a project.' : undefined} error={repoError}>
        {(control) => (
          <Select {...control} required={required} value={repo} onChange={(event) => onChange({ repo: event.target.value })}>
            <option value="">{required ? 'choose one' : 'none'}</option>
            {repos?.map(({ id, name }) => <option key={id} value={id}>{name}</option>)}
          </Select>
        )}
      </Field>
      <Field label="Agent" error={agentError}>
        {(control) => (
          <Select {...control} value={agent} onChange={(event) => onChange({ agent: event.target.value })}>
            <option value="">the repository’s own</option>
            {agents?.map(({ id, name }) => <option key={id} value={id}>{name}</option>)}
          </Select>
        )}
      </Field>
    </div>
  )
}

interface Props { values: ContentValues; onChange: (values: ContentValues) => void; error: (field: string) => string | null; objectiveHint?: string }

export function OrderFields({ values, onChange, error, objectiveHint }: Props) {
  const [more, setMore] = useState(usesMore(values))
  const set = (change: Partial<ContentValues>) => onChange({ ...values, ...change })
  const list = (name: 'do_not_modify' | 'must_use' | 'start_here' | 'reference' | 'expected_files_changed', label: string, example: string, part: string) => (
    <Field label={label} hint="One a line." error={error(part)}>
      {(control) => <Textarea {...control} rows={2} spellCheck={false} className="font-mono text-xs" placeholder={example} value={values[name]} onChange={(event) => set({ [name]: event.target.value })} />}
    </Field>
  )
  return (
    <div className="flex flex-col gap-4">
      <Field label="Objective" hint={objectiveHint ?? 'What is to be reached. Its first line is the title of the ticket.'} error={error('objective')}>
        {(control) => <Textarea {...control} rows={4} value={values.objective} onChange={(event) => set({ objective: event.target.value })} />}
      </Field>
      <Lines lines={values.lines} onChange={(lines) => set({ lines })} error={error('lines')} />
      {!more && <div><Button icon="plus" aria-expanded="false" onClick={() => setMore(true)}>Constraints, hints, verification</Button></div>}
      {more && (
        <div className="grid gap-4 sm:grid-cols-2">
          {list('do_not_modify', 'Do not modify', 'migrations/', 'constraints')}
          {list('must_use', 'Must use', 'the existing error type', 'constraints')}
          {list('start_here', 'Start here', 'src/auth.rs', 'exploration_hints')}
          {list('reference', 'For reference', 'docs/auth.md', 'exploration_hints')}
          <Field label="Test command" hint="The agent runs it before it ends." error={error('verification')}>
            {(control) => <Input {...control} spellCheck={false} className="font-mono text-xs" placeholder="npm test" value={values.test_command} onChange={(event) => set({ test_command: event.target.value })} />}
          </Field>
          <Field label="Branch to begin on" hint="Empty: the repository’s default branch." error={error('branch_name')}>
            {(control) => <Input {...control} spellCheck={false} className="font-mono text-xs" value={values.branch_name} onChange={(event) => set({ branch_name: event.target.value })} />}
          </Field>
          {list('expected_files_changed', 'Files that should change', 'src/auth/*', 'verification')}
        </div>
      )}
    </div>
  )
}

function Lines({ lines, onChange, error }: { lines: LineValues[]; onChange: (lines: LineValues[]) => void; error: string | null }) {
  const set = (at: number, change: Partial<LineValues>) => onChange(lines.map((line, index) => (index === at ? { ...line, ...change } : line)))
  return (
    <fieldset className="flex flex-col gap-3">
      <legend className="text-sm font-medium">Lines</legend>
      <p className="mt-1 text-xs text-muted">What the order consists of, each with what must hold when it is done. An order can do without.</p>
      {lines.map((line, at) => (
        <div key={line.key} className="flex flex-col gap-2 rounded-lg border bg-sunken/40 p-3">
          <div className="flex items-end gap-1">
            <Field label={`Line ${at + 1}`} className="min-w-0 grow">
              {(control) => <Input {...control} autoFocus={line.title === '' && at === lines.length - 1} value={line.title} onChange={(event) => set(at, { title: event.target.value })} />}
            </Field>
            <IconButton icon="up" label={`Move line ${at + 1} up`} disabled={at === 0} onClick={() => onChange(moved(lines, at, -1))} />
            <IconButton icon="below" label={`Move line ${at + 1} down`} disabled={at === lines.length - 1} onClick={() => onChange(moved(lines, at, 1))} />
            <IconButton icon="close" label={`Remove line ${at + 1}`} onClick={() => onChange(lines.filter((one) => one !== line))} />
          </div>
          <Field label={`Done when (line ${at + 1})`}>
            {(control) => <Textarea {...control} rows={2} value={line.definition_of_done} onChange={(event) => set(at, { definition_of_done: event.target.value })} />}
          </Field>
        </div>
      ))}
      {error && <p className="text-xs font-medium text-bad">{error}</p>}
      <div><Button icon="plus" onClick={() => onChange([...lines, newLine()])}>Add a line</Button></div>
    </fieldset>
  )
}
