import { api } from '@/api/client'
import { keys } from '@/api/keys'
import type { Budgets, BudgetView } from '@/api/types'
import { Unsaved } from '@/shell/unsaved'
import { Button, Card, ErrorNote, Field, Input, Skeleton, toast } from '@/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { budgetBody, budgetProblem, budgetValues, type BudgetValues, leftOf, type Level, UNITS, type Unit } from './budget'

const TITLES: Record<Level, { title: string; about: string }> = {
  attempt: { title: 'Each attempt', about: 'What one try of a job may use.' },
  ticket: { title: 'Each ticket', about: 'What all attempts at a ticket may use.' },
  project: { title: 'The whole project', about: 'What all of its tickets may use.' },
  day: { title: 'The project, each day', about: 'What attempts may use that begin on the same day (UTC).' },
}
const OF_ONE: Partial<Record<Level, string>> = { ticket: 'All of this ticket' }
const LABELS: Record<Unit, string> = { usd: 'Dollars', tokens: 'Tokens', calls: 'Calls' }

/** What is left of each limit, and what to know about it. */
export function Left({ view }: { view: BudgetView }) {
  return (
    <>
      {view.limits.length > 0 && <ul aria-label="What is left" className="flex flex-col gap-1 text-sm tabular">{view.limits.map((limit) => <li key={`${limit.level}.${limit.unit}`} className={limit.left <= 0 ? 'font-medium text-bad' : undefined}>{leftOf(limit)}</li>)}</ul>}
      {view.notes.map((note) => <p key={note} className="mt-1 text-xs text-muted">{note}</p>)}
    </>
  )
}

/** The budgets of a project, or of one ticket in place of those. `path` is where they are stored. */
export function Budget({ path, levels, may, about }: { path: string; levels: readonly Level[]; may: boolean; about: string }) {
  const queries = useQueryClient()
  const key = keys.budget(path)
  const stored = useQuery({ queryKey: key, queryFn: ({ signal }) => api.get<BudgetView>(path, { signal }) })
  const [edits, setEdits] = useState<Partial<BudgetValues>>({})
  const save = useMutation({
    mutationFn: (budgets: Budgets) => api.put<BudgetView>(path, budgets),
    onSuccess: (next) => {
      queries.setQueryData(key, next)
      setEdits({})
      toast.done('Saved. It counts at once.')
    },
  })
  if (!stored.data) return stored.error ? <ErrorNote error={stored.error} onRetry={() => void stored.refetch()} /> : <Skeleton label="Loading the budgets" lines={6} />
  const before = budgetValues(stored.data.set)
  const values = { ...before, ...edits }
  const names = levels.flatMap((level) => UNITS.map((unit) => [`${level}.${unit}`, unit] as const))
  const dirty = names.some(([name]) => values[name] !== before[name])
  const valid = names.every(([name, unit]) => budgetProblem(values[name], unit) === null)
  const submit = (event: FormEvent) => { event.preventDefault(); if (dirty && valid && !save.isPending) save.mutate(budgetBody(values, levels)) }
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <Unsaved when={dirty} />
      <p className="text-sm text-muted">{about} What is empty is not limited. Once a budget is used up, the work so far is shown in a draft, and a person is asked for more.</p>
      <Left view={stored.data} />
      {levels.map((level) => {
        const title = levels.length === 2 ? OF_ONE[level] ?? TITLES[level].title : TITLES[level].title
        return (
          <Card key={level} title={title}>
            <p className="mb-2 text-xs text-muted">{TITLES[level].about}</p>
            <div className="grid gap-3 sm:grid-cols-3">
              {UNITS.map((unit) => {
                const name = `${level}.${unit}` as const
                return (
                  <Field key={unit} label={LABELS[unit]} error={budgetProblem(values[name], unit)}>
                    {(control) => <Input {...control} aria-label={`${LABELS[unit]}: ${title}`} inputMode="decimal" disabled={!may} value={values[name]} onChange={(event) => setEdits({ ...edits, [name]: event.target.value })} />}
                  </Field>
                )
              })}
            </div>
          </Card>
        )
      })}
      {save.error && <ErrorNote what="Nothing was saved." error={save.error} />}
      {may && (
        <div className="flex flex-wrap items-center gap-3">
          <Button type="submit" kind="primary" disabled={!dirty || !valid} sending={save.isPending}>Save</Button>
          {dirty && <Button onClick={() => { setEdits({}); save.reset() }}>Undo the changes</Button>}
        </div>
      )}
    </form>
  )
}
