import { api } from '@/api/client'
import { keys } from '@/api/keys'
import type { Note } from '@/api/types'
import { Unsaved } from '@/shell/unsaved'
import { Button, Card, Confirm, EmptyState, ErrorNote, Field, IconButton, Input, Prose, Skeleton, Textarea, TimeAgo, toast } from '@/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'

export function Notes({ projectId, may }: { projectId: string; may: boolean }) {
  const notes = useQuery({ queryKey: keys.notes(projectId), queryFn: ({ signal }) => api.get<Note[]>(`/api/projects/${projectId}/notes`, { signal }) })
  const [editing, setEditing] = useState<Note | 'new' | null>(null)
  const [deleting, setDeleting] = useState<Note | null>(null)
  if (notes.error && !notes.data) return <ErrorNote error={notes.error} onRetry={() => void notes.refetch()} />
  if (!notes.data) return <Skeleton label="Loading the notes" />
  const add = <Button kind="primary" icon="plus" onClick={() => setEditing('new')}>New note</Button>
  return (
    <div className="flex flex-col gap-4">
      {notes.data.length > 0 && may && editing !== 'new' && <div>{add}</div>}
      {editing === 'new' && <NoteForm projectId={projectId} note={null} onDone={() => setEditing(null)} />}
      {notes.data.length === 0 && editing !== 'new' && (
        <EmptyState icon="file" title="No notes yet" action={may && add}>What every agent of this project should know: habits, decisions, traps. Notes are part of their task.</EmptyState>
      )}
      {notes.data.map((note) => editing !== null && editing !== 'new' && editing.id === note.id ? (
        <NoteForm key={note.id} projectId={projectId} note={note} onDone={() => setEditing(null)} />
      ) : (
        <Card
          key={note.id} title={note.title || 'Note'}
          actions={<><span className="text-xs text-muted"><TimeAgo at={note.created_at} /></span>{may && <><IconButton icon="edit" size="small" label={`Edit ${note.title || 'the note'}`} onClick={() => setEditing(note)} /><IconButton icon="close" size="small" label={`Delete ${note.title || 'the note'}`} onClick={() => setDeleting(note)} /></>}</>}
        >
          <Prose text={note.content} />
          {note.node_ids.length > 0 && <p className="mt-2 text-xs text-muted">About {note.node_ids.join(', ')} in the graph.</p>}
        </Card>
      ))}
      {deleting && <DeleteNote projectId={projectId} note={deleting} onDone={() => setDeleting(null)} />}
    </div>
  )
}

function NoteForm({ projectId, note, onDone }: { projectId: string; note: Note | null; onDone: () => void }) {
  const queries = useQueryClient()
  const [title, setTitle] = useState(note?.title ?? '')
  const [content, setContent] = useState(note?.content ?? '')
  const dirty = title !== (note?.title ?? '') || content !== (note?.content ?? '')
  const path = `/api/projects/${projectId}/notes`
  const save = useMutation({
    mutationFn: () => (note ? api.patch(`${path}/${note.id}`, { title, content }) : api.post(path, { title, content })),
    onSuccess: async () => { await queries.invalidateQueries({ queryKey: keys.notes(projectId) }); onDone() },
  })
  const submit = (event: FormEvent) => { event.preventDefault(); if (!save.isPending) save.mutate() }
  return (
    <Card title={note ? 'Edit the note' : 'New note'}>
      <form onSubmit={submit} className="flex flex-col gap-3">
        <Unsaved when={dirty && !save.isSuccess} />
        <Field label="Title">{(control) => <Input {...control} autoFocus value={title} onChange={(event) => setTitle(event.target.value)} />}</Field>
        <Field label="Text">{(control) => <Textarea {...control} rows={6} value={content} onChange={(event) => setContent(event.target.value)} />}</Field>
        {save.error && <ErrorNote what="Nothing was saved." error={save.error} />}
        <div className="flex gap-2"><Button type="submit" kind="primary" sending={save.isPending} disabled={!title.trim() && !content.trim()}>Save the note</Button><Button onClick={onDone}>{dirty ? 'Discard' : 'Close'}</Button></div>
      </form>
    </Card>
  )
}

function DeleteNote({ projectId, note, onDone }: { projectId: string; note: Note; onDone: () => void }) {
  const queries = useQueryClient()
  const remove = useMutation({
    mutationFn: () => api.delete(`/api/projects/${projectId}/notes/${note.id}`),
    onSuccess: async () => { await queries.invalidateQueries({ queryKey: keys.notes(projectId) }); onDone(); toast.done('The note is deleted.') },
  })
  return (
    <Confirm open onClose={onDone} title="Delete this note?" action="Delete the note" sending={remove.isPending} error={remove.error} onConfirm={() => remove.mutate()}>
      <p>{note.title ? <>“{note.title}” is deleted for good.</> : 'It is deleted for good.'} Agents that run now have read it already.</p>
    </Confirm>
  )
}
