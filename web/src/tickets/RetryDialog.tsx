import type { Card } from '@/api/contract'
import { Button, Dialog, Field, Textarea } from '@/ui'
import { useState } from 'react'

/** Asks for what the next attempt should know. Retrying without a note is one key away. */
export function RetryDialog({ card, onClose, onRetry }: { card: Card; onClose: () => void; onRetry: (note: string) => void }) {
  const [note, setNote] = useState('')
  const retry = () => {
    onClose()
    onRetry(note)
  }
  return (
    <Dialog
      open onClose={onClose} title="Try again" about={<>{card.title}. {card.state.sentence}</>}
      actions={<><Button onClick={onClose}>Not now</Button><Button kind="primary" icon="retry" onClick={retry}>Try again</Button></>}
    >
      <Field label="Note for the next attempt" hint="Optional. It is in the first prompt. Ctrl+Enter tries again.">
        {(control) => (
          <Textarea
            {...control} value={note} autoFocus onChange={(event) => setNote(event.target.value)}
            onKeyDown={(event) => { if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) retry() }}
          />
        )}
      </Field>
    </Dialog>
  )
}
