import { api } from '@/api/client'
import { keys } from '@/api/keys'
import type { Graph as GraphOf } from '@/api/types'
import { useMedia } from '@/lib/media'
import { useHotkeys } from '@/shell/hotkeys'
import { Unsaved } from '@/shell/unsaved'
import { Button, EmptyState, ErrorNote, IconButton, Skeleton, toast } from '@/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Canvas } from './Canvas'
import { List } from './List'
import { addNode, type Model, parse, removeEdge, removeNode, serialise } from './model'
import { Panel } from './Panel'
import { useHistory } from './useHistory'

export interface Chosen { kind: 'node' | 'edge'; id: string }

export function Graph({ projectId, may }: { projectId: string; may: boolean }) {
  const graph = useQuery({ queryKey: keys.graph(projectId), queryFn: ({ signal }) => api.get<GraphOf>(`/api/projects/${projectId}/graph`, { signal }) })
  if (graph.error && !graph.data) return <ErrorNote error={graph.error} onRetry={() => void graph.refetch()} />
  if (!graph.data) return <Skeleton label="Loading the graph" lines={8} />
  return <Editor projectId={projectId} may={may} stored={graph.data} />
}

function Editor({ projectId, may, stored }: { projectId: string; may: boolean; stored: GraphOf }) {
  const queries = useQueryClient()
  // What the edits began with. A newer version on the server does not replace what is being edited here.
  const [base, setBase] = useState(() => ({ version: stored.version, model: parse(stored) }))
  const history = useHistory<Model>(base.model)
  const [chosen, setChosen] = useState<Chosen | null>(null)
  const [connecting, setConnecting] = useState<string | null>(null)
  const narrow = useMedia('(max-width: 767px)')
  const [wanted, setWanted] = useState<'picture' | 'list' | null>(null)
  const view = wanted ?? (narrow ? 'list' : 'picture')
  const model = history.now
  const dirty = model !== base.model
  const newer = stored.version !== base.version

  const take = (graph: GraphOf) => {
    const next = { version: graph.version, model: parse(graph) }
    setBase(next)
    history.reset(next.model)
    setChosen(null)
  }
  if (newer && !dirty) take(stored)

  const path = `/api/projects/${projectId}/graph`
  const save = useMutation({
    mutationFn: async () => {
      const now = await api.get<GraphOf>(path)
      if (now.version !== base.version) {
        queries.setQueryData(keys.graph(projectId), now)
        return null
      }
      const body = serialise(model)
      return { ...now, ...body, ...(await api.put<{ version: number }>(path, body)) } as GraphOf
    },
    onSuccess: (next) => {
      if (!next) return
      setBase({ version: next.version, model })
      queries.setQueryData(keys.graph(projectId), next)
      toast.done('The graph is saved.')
    },
  })
  const add = (near?: string) => {
    const { model: next, id } = addNode(model, 'New part', near)
    history.change(next)
    setChosen({ kind: 'node', id })
  }
  const remove = (what: Chosen) => {
    history.change(what.kind === 'node' ? removeNode(model, what.id) : removeEdge(model, what.id))
    setChosen(null)
  }
  useHotkeys('Graph', may ? [
    { key: 'n', about: 'Add a part', run: () => add(chosen?.kind === 'node' ? chosen.id : undefined) },
    { key: 'mod+z', about: 'Undo', run: (event) => (event.shiftKey ? history.redo() : history.undo()) },
    { key: 'mod+y', run: history.redo },
    { key: 'mod+s', about: 'Save', run: () => { if (dirty && !save.isPending) save.mutate() } },
    { key: 'Escape', run: () => { setConnecting(null); setChosen(null) } },
  ] : [])

  const parts = { model, may, chosen, onChoose: setChosen, onChange: history.change, connecting, onConnecting: setConnecting, onRemove: remove }
  return (
    <div className="flex flex-col gap-3">
      <Unsaved when={dirty} />
      <div className="flex flex-wrap items-center gap-2">
        <div role="group" aria-label="View" className="flex rounded-md border border-line-strong/50">
          {(['picture', 'list'] as const).map((one) => (
            <Button key={one} kind="ghost" size="small" aria-pressed={view === one} className={view === one ? 'bg-accent-soft! text-accent!' : ''} onClick={() => setWanted(one)}>{one === 'picture' ? 'Picture' : 'List'}</Button>
          ))}
        </div>
        {may && (
          <>
            <Button size="small" icon="plus" onClick={() => add(chosen?.kind === 'node' ? chosen.id : undefined)}>Add a part</Button>
            <IconButton size="small" icon="undo" label="Undo (Ctrl+Z)" disabled={!history.canUndo} onClick={history.undo} />
            <IconButton size="small" icon="redo" label="Redo (Ctrl+Y)" disabled={!history.canRedo} onClick={history.redo} />
            <span role="status" className="ml-auto text-sm text-muted">{dirty ? 'Not saved yet.' : ''}</span>
            <Button size="small" kind="primary" disabled={!dirty} sending={save.isPending} onClick={() => save.mutate()}>Save the graph</Button>
          </>
        )}
      </div>
      {save.error && <ErrorNote what="The graph was not saved." error={save.error} onRetry={() => save.mutate()} />}
      {newer && dirty && (
        <div role="alert" className="flex flex-wrap items-center gap-3 rounded-lg bg-wait-soft p-3 text-sm">
          <p className="grow">Somebody else changed the graph meanwhile, so yours was not saved over it.</p>
          <Button size="small" onClick={() => take(stored)}>Take theirs</Button>
          <Button size="small" kind="danger" onClick={() => setBase({ ...base, version: stored.version })}>Keep mine, then save over theirs</Button>
        </div>
      )}
      {model.nodes.length === 0 ? (
        <EmptyState icon="pr" title="The graph is empty" action={may && <Button kind="primary" icon="plus" onClick={() => add()}>Add the first part</Button>}>
          It shows what the project is made of, and how the parts depend on each other. Tickets can point at parts, and agents read what belongs to them.
        </EmptyState>
      ) : (
        <div className="grid items-start gap-4 lg:grid-cols-[1fr_18rem]">
          {view === 'picture' ? <Canvas {...parts} /> : <List {...parts} />}
          <div className={chosen ? 'max-lg:order-first' : 'max-lg:hidden'}><Panel {...parts} /></div>
        </div>
      )}
    </div>
  )
}
