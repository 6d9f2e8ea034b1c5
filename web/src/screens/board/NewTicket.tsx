import { api } from '@/api/client'
import { sentenceOf } from '@/api/errors'
import { keys } from '@/api/keys'
import type { Priority, Ticket } from '@/api/types'
import { refreshCard } from '@/live/refresh'
import { IN_PROGRESS } from '@/tickets/actions'
import { Button, Checkbox, Dialog, Field, Input, Select, Textarea, toast } from '@/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'

export interface Draft { title: string; description: string }

interface Props { projectId: string; draft: Draft; backlog: string; onClose: () => void; onCreated: (ticket: Ticket) => void }

export function NewTicket({ projectId, draft, backlog, onClose, onCreated }: Props) {
  const [title, setTitle] = useState(draft.title)
  const [description, setDescription] = useState(draft.description)
  const [priority, setPriority] = useState<Priority>('medium')
  const [start, setStart] = useState(false)
  const [tried, setTried] = useState(false)
  const queries = useQueryClient()
  const create = useMutation({
    mutationFn: async () => {
      const body = { title: title.trim(), description: description.trim() || null, priority, column_id: start ? IN_PROGRESS : backlog }
      const ticket = await api.post<Ticket>(`/api/projects/${projectId}/tickets`, body)
      await refreshCard(queries, projectId, ticket.id)
      return ticket
    },
    onSuccess: (ticket) => {
      void queries.invalidateQueries({ queryKey: keys.summary })
      toast.done(start ? 'The ticket was created and waits for its turn.' : 'The ticket was created.')
      onClose()
      onCreated(ticket)
    },
  })
  const submit = () => {
    setTried(true)
    if (title.trim() && !create.isPending) create.mutate()
  }
  const missing = tried && !title.trim() ? 'Say in a few words what should be different afterwards.' : null
  return (
    <Dialog
      open onClose={onClose} title="New ticket"
      actions={<><Button onClick={onClose}>Cancel</Button><Button kind="primary" icon={start ? 'play' : 'plus'} sending={create.isPending} onClick={submit}>{start ? 'Create and run' : 'Create'}</Button></>}
    >
      <form
        className="flex flex-col gap-4" onSubmit={(event) => { event.preventDefault(); submit() }}
        onKeyDown={(event) => { if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) submit() }}
      >
        <Field label="Title" error={missing}>{(control) => <Input {...control} value={title} autoFocus onChange={(event) => setTitle(event.target.value)} />}</Field>
        <Field label="What should be done" hint="What the agent should know: what is wanted, how you will see that it works, what it should leave alone.">
          {(control) => <Textarea {...control} rows={7} value={description} onChange={(event) => setDescription(event.target.value)} />}
        </Field>
        <Field label="Priority">
          {(control) => (
            <Select {...control} value={priority} onChange={(event) => setPriority(event.target.value as Priority)}>
              <option value="high">High</option><option value="medium">Medium</option><option value="low">Low</option>
            </Select>
          )}
        </Field>
        <Checkbox label="Run it at once" hint="It goes to In Progress and is claimed as soon as a slot is free." checked={start} onChange={(event) => setStart(event.target.checked)} />
        {create.error && <p role="alert" className="text-sm font-medium text-bad">The ticket was not created. {sentenceOf(create.error)}</p>}
        <button type="submit" hidden>Create</button>
      </form>
    </Dialog>
  )
}
