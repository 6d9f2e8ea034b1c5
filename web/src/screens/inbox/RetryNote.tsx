import type { InboxItem } from '@/api/contract'
import { Button, Dialog, Field, Kbd, Textarea } from '@/ui'
import { useState } from 'react'
import { drafts } from './drafts'

export function RetryNote({ item, onClose, onSend }: { item: InboxItem; onClose: () => void; onSend: (note: string) => void }) {
  const [text, setText] = useState(drafts.get(item.ticket_id) ?? '')
  const type = (next: string) => { setText(next); drafts.set(item.ticket_id, next) }
  const send = () => onSend(text.trim())
  return (
    <Dialog
      open onClose={onClose} title="Retry with a note" about={item.title}
      actions={<><Button onClick={onClose}>Cancel</Button><Button kind="primary" icon="retry" onClick={send}>{text.trim() ? 'Retry with this note' : 'Retry without a note'}</Button></>}
    >
      <Field label="Note to the agent" hint={<>It is in the first prompt of the next attempt. <Kbd>Ctrl Enter</Kbd> sends it.</>}>
        {(control) => (
          <Textarea
            {...control} autoFocus rows={5} value={text} onChange={(event) => type(event.target.value)}
            onKeyDown={(event) => { if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) { event.preventDefault(); send() } }}
          />
        )}
      </Field>
    </Dialog>
  )
}
