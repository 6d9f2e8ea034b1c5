import { api } from '@/api/client'
import { sentenceOf } from '@/api/errors'
import { keys } from '@/api/keys'
import type { Priority, Ticket } from '@/api/types'
import { refreshCard } from '@/live/refresh'
import { Button, Dialog, Field, Input, Select, Textarea } from '@/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'

export default function EditTicket({ ticket, running, onClose }: { ticket: Ticket; running: boolean; onClose: () => void }) {
  const [title, setTitle] = useState(ticket.title)
  const [description, setDescription] = useState(ticket.description ?? '')
  const [priority, setPriority] = useState<Priority>(ticket.priority)
  const queries = useQueryClient()
  const save = useMutation({
    mutationFn: async () => {
      await api.patch(`/api/projects/${ticket.project_id}/tickets/${ticket.id}`, { title: title.trim(), description: description.trim() || null, priority })
      await Promise.all([queries.invalidateQueries({ queryKey: keys.ticketPage(ticket.id) }), refreshCard(queries, ticket.project_id, ticket.id)])
    },
    onSuccess: onClose,
  })
  const submit = () => { if (title.trim() && !save.isPending) save.mutate() }
  return (
    <Dialog
      open onClose={onClose} title="Edit the ticket" wide
      {...(running ? { about: 'The attempt that runs keeps the text that it began with. Use a message to tell the agent something now.' } : {})}
      actions={<><Button onClick={onClose}>Cancel</Button><Button kind="primary" sending={save.isPending} disabled={!title.trim()} onClick={submit}>Save</Button></>}
    >
      <form className="flex flex-col gap-4" onSubmit={(event) => { event.preventDefault(); submit() }} onKeyDown={(event) => { if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) submit() }}>
        <Field label="Title" error={title.trim() ? null : 'A ticket needs a title.'}>{(control) => <Input {...control} value={title} autoFocus onChange={(event) => setTitle(event.target.value)} />}</Field>
        <Field label="What should be done">{(control) => <Textarea {...control} rows={12} value={description} onChange={(event) => setDescription(event.target.value)} />}</Field>
        <Field label="Priority">
          {(control) => (
            <Select {...control} value={priority} onChange={(event) => setPriority(event.target.value as Priority)}>
              <option value="high">High</option><option value="medium">Medium</option><option value="low">Low</option>
            </Select>
          )}
        </Field>
        {save.error && <p role="alert" className="text-sm font-medium text-bad">Nothing was changed. {sentenceOf(save.error)}</p>}
        <button type="submit" hidden>Save</button>
      </form>
    </Dialog>
  )
}
