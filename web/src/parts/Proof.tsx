import { api } from '@/api/client'
import { keys } from '@/api/keys'
import type { ProofTerms } from '@/api/types'
import { errorOfField, fieldAtFault } from '@/lib/field-error'
import { Unsaved } from '@/shell/unsaved'
import { Button, Card, ErrorNote, Field, Skeleton, Textarea, toast } from '@/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { PROOF_FIELDS, proofDiffers, proofTerms, type ProofValues, proofValues, takenOver } from './proof'

const FIELDS: Record<keyof ProofValues, { label: string; hint: string; rows: number; code: boolean }> = {
  verification: { label: 'Commands that must succeed', hint: 'One on each line, such as npm test. They run in a clean checkout when the work is called done.', rows: 4, code: true },
  setup: { label: 'Commands that prepare a checkout', hint: 'One on each line, such as npm ci. They run before the agent begins and before the commands above.', rows: 3, code: true },
  acceptance: { label: 'What must hold', hint: 'A sentence on each line. The Director says of each whether it holds, and where.', rows: 3, code: false },
}

/** What counts as done: of a project for all of its tickets, or of one ticket beside that. `path` is where it is stored, `proposals` where commands are that runners found in the repository. */
export function Proof({ path, proposals, may, about }: { path: string; proposals?: string; may: boolean; about: string }) {
  const queries = useQueryClient()
  const key = keys.proof(path)
  const stored = useQuery({ queryKey: key, queryFn: ({ signal }) => api.get<ProofTerms>(path, { signal }) })
  const proposed = useQuery({
    queryKey: keys.proof(proposals ?? ''),
    queryFn: ({ signal }) => api.get<ProofTerms>(proposals ?? '', { signal }),
    enabled: proposals !== undefined,
  })
  const [edits, setEdits] = useState<Partial<ProofValues>>({})
  const save = useMutation({
    mutationFn: (terms: ProofTerms) => api.put<ProofTerms>(path, terms),
    onSuccess: (next) => {
      queries.setQueryData(key, next)
      setEdits({})
      toast.done('Saved. It counts for attempts that begin from now on.')
    },
  })
  if (!stored.data) return stored.error ? <ErrorNote error={stored.error} onRetry={() => void stored.refetch()} /> : <Skeleton label="Loading what counts as done" lines={6} />
  const terms = stored.data
  const values = { ...proofValues(terms), ...edits }
  const dirty = proofDiffers(values, terms)
  const offer = proposed.data ? takenOver(proposed.data, terms) : null
  const submit = (event: FormEvent) => { event.preventDefault(); if (dirty && !save.isPending) save.mutate(proofTerms(values, terms)) }
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <Unsaved when={dirty} />
      <p className="text-sm text-muted">{about} What a repository says in its .terarchitect.toml is added to it.</p>
      {offer && (
        <Card title="Proposed from the repository" actions={may && !dirty && <Button size="small" sending={save.isPending} onClick={() => save.mutate(proofTerms({ ...values, ...offer }, terms))}>Use it</Button>}>
          <p className="text-sm text-muted">Nothing verifies what agents do here. By the repository’s build files it could be:</p>
          <ul aria-label="Proposed commands" className="mt-2 flex flex-col gap-1">{`${offer.setup}\n${offer.verification}`.split('\n').filter((command) => command !== '').map((command) => <li key={command}><code className="block rounded bg-raised px-2 py-1 font-mono text-xs break-words whitespace-pre-wrap">{command}</code></li>)}</ul>
        </Card>
      )}
      <Card title="What counts as done">
        <div className="flex flex-col gap-4">
          {(['verification', 'setup', 'acceptance'] as const).map((name) => (
            <Field key={name} label={FIELDS[name].label} hint={FIELDS[name].hint} error={errorOfField(save.error, PROOF_FIELDS, name)}>
              {(control) => (
                <Textarea {...control} rows={FIELDS[name].rows} disabled={!may} spellCheck={!FIELDS[name].code} className={FIELDS[name].code ? 'font-mono text-sm' : undefined} value={values[name]} onChange={(event) => setEdits({ ...edits, [name]: event.target.value })} />
              )}
            </Field>
          ))}
        </div>
      </Card>
      {save.error && fieldAtFault(save.error, PROOF_FIELDS) === null && <ErrorNote what="Nothing was saved." error={save.error} />}
      {may && (
        <div className="flex flex-wrap items-center gap-3">
          <Button type="submit" kind="primary" disabled={!dirty} sending={save.isPending}>Save</Button>
          {dirty && <Button onClick={() => { setEdits({}); save.reset() }}>Undo the changes</Button>}
        </div>
      )}
    </form>
  )
}
