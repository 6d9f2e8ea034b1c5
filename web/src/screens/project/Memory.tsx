import { api } from '@/api/client'
import { plural } from '@/lib/time'
import { Unsaved } from '@/shell/unsaved'
import { Button, Card, ErrorNote, Field, Input, Prose, Textarea, toast } from '@/ui'
import { useMutation } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'

interface Answer { results: { question: string; docs: string[]; doc_scores: number[] }[] }

/** What agents can look up: texts in, questions out. */
export function Memory({ projectId, may }: { projectId: string; may: boolean }) {
  const path = `/api/projects/${projectId}/memory`
  const [question, setQuestion] = useState('')
  const [gone, setGone] = useState<ReadonlySet<string>>(new Set())
  const find = useMutation({
    mutationFn: (text: string) => api.post<Answer>(`${path}/retrieve`, { queries: [text], num_to_retrieve: 10 }),
    onSuccess: () => setGone(new Set()),
  })
  const remove = useMutation({
    mutationFn: (doc: string) => api.post(`${path}/delete`, { docs: [doc] }),
    onSuccess: (_, doc) => {
      setGone((before) => new Set([...before, doc]))
      toast.done('The text is forgotten.', may ? { label: 'Undo', run: () => void undo(doc) } : undefined)
    },
    onError: (error) => toast.failed('The text stays in memory.', error),
  })
  const undo = async (doc: string) => {
    try {
      await api.post(`${path}/index`, { docs: [doc] })
      setGone((before) => new Set([...before].filter((one) => one !== doc)))
    } catch (error) {
      toast.failed('The text stays forgotten.', error)
    }
  }
  const submit = (event: FormEvent) => { event.preventDefault(); if (question.trim() && !find.isPending) find.mutate(question.trim()) }
  const result = find.data?.results[0]
  const docs = (result?.docs ?? []).map((doc, index) => ({ doc, score: result?.doc_scores[index] })).filter(({ doc }) => !gone.has(doc))
  return (
    <div className="flex flex-col gap-4">
      <p className="text-sm text-muted">Agents of this project look things up here, by meaning. Add what they should find: decisions, parts of manuals, answers.</p>
      <Card title="Look up">
        <form onSubmit={submit} className="flex flex-wrap items-end gap-2">
          <Field label="Question" className="grow basis-64">{(control) => <Input {...control} type="search" required value={question} onChange={(event) => setQuestion(event.target.value)} />}</Field>
          <Button type="submit" icon="search" sending={find.isPending}>Look up</Button>
        </form>
        {find.error && <ErrorNote className="mt-3" error={find.error} onRetry={() => find.mutate(question.trim())} />}
        <div role="status" className="mt-3 text-sm text-muted">{result && (docs.length === 0 ? 'Nothing in memory fits this question.' : `${plural(docs.length, 'text fits', 'texts fit')} “${result.question}”, the best first.`)}</div>
        <ul aria-label="What was found" className="mt-2 flex flex-col gap-2 empty:hidden">
          {docs.map(({ doc, score }) => (
            <li key={doc} className="flex items-start gap-3 rounded-md border p-3">
              <Prose text={doc} className="min-w-0 grow" />
              <div className="flex shrink-0 flex-col items-end gap-2">
                {score !== undefined && <span className="text-xs text-muted tabular" title="How well it fits; 1 is the best">{score.toFixed(2)}</span>}
                {may && <Button size="small" kind="danger" sending={remove.isPending && remove.variables === doc} onClick={() => remove.mutate(doc)}>Forget</Button>}
              </div>
            </li>
          ))}
        </ul>
      </Card>
      {may && <Add path={path} />}
    </div>
  )
}

function Add({ path }: { path: string }) {
  const [text, setText] = useState('')
  const add = useMutation({
    mutationFn: () => api.post<{ count: number }>(`${path}/index`, { docs: [text.trim()] }),
    onSuccess: () => { setText(''); toast.done('The text is in memory.') },
  })
  const submit = (event: FormEvent) => { event.preventDefault(); if (text.trim() && !add.isPending) add.mutate() }
  return (
    <Card title="Add">
      <form onSubmit={submit} className="flex flex-col gap-3">
        <Unsaved when={text.trim() !== ''} />
        <Field label="Text" hint="One thing at a time is found best.">{(control) => <Textarea {...control} rows={5} required value={text} onChange={(event) => setText(event.target.value)} />}</Field>
        {add.error && <ErrorNote what="Nothing was added." error={add.error} />}
        <div><Button type="submit" kind="primary" sending={add.isPending} disabled={!text.trim()}>Add to memory</Button></div>
      </form>
    </Card>
  )
}
