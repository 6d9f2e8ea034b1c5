/** Words that go with a decision: a note to the next attempt, an answer to the agent, a reason. */
import type { InboxItem } from '@/api/contract'
import { Button, Dialog, Field, type IconName, Kbd, Textarea } from '@/ui'
import { useState } from 'react'
import { idOf, type Verdict } from './decisions'
import { type Draft, draftOf, keep } from './drafts'

export type Words = 'retry' | 'approve' | 'reject'

interface Look { draft: Draft; title: string; label: string; hint: string; icon: IconName; danger?: boolean; send: string; bare: string }

const looks: Record<Words, Look> = {
  retry: { draft: 'note', title: 'Retry with a note', label: 'Note to the agent', hint: 'It is in the first prompt of the next attempt.', icon: 'retry', send: 'Retry with this note', bare: 'Retry without a note' },
  approve: { draft: 'answer', title: 'Say something to the agent', label: 'Your words to the agent', hint: 'The agent reads this next, in the same conversation.', icon: 'done', send: 'Approve with these words', bare: 'Approve without words' },
  reject: { draft: 'reason', title: 'Reject this?', label: 'Reason', hint: 'The job fails for good, with this reason. It can be retried afterwards.', icon: 'failed', danger: true, send: 'Reject with this reason', bare: 'Reject without a reason' },
}

/** A question is answered, not approved. */
const answer: Partial<Look> = { title: 'Answer the agent', label: 'Answer', send: 'Send the answer', bare: 'Go on without an answer' }

export function WordsDialog({ item, words, onClose, onSend }: { item: InboxItem; words: Words; onClose: () => void; onSend: (verdict: Verdict, text: string) => void }) {
  const id = idOf(item)
  const asks = words === 'approve' && item.checkpoint?.stage === 'question'
  const look: Look = asks ? { ...looks.approve, ...answer } : looks[words]
  const [text, setText] = useState(draftOf(id, look.draft))
  const send = () => onSend(words, text.trim())
  return (
    <Dialog
      open onClose={onClose} title={look.title} about={asks ? item.sentence : item.title}
      actions={<><Button onClick={onClose}>Cancel</Button><Button kind={look.danger ? 'danger' : 'primary'} icon={look.icon} onClick={send}>{text.trim() ? look.send : look.bare}</Button></>}
    >
      <Field label={look.label} hint={<>{look.hint} <Kbd>Ctrl Enter</Kbd> sends it.</>}>
        {(control) => (
          <Textarea
            {...control} autoFocus rows={5} value={text} onChange={(event) => { setText(event.target.value); keep(id, look.draft, event.target.value) }}
            onKeyDown={(event) => { if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) { event.preventDefault(); send() } }}
          />
        )}
      </Field>
    </Dialog>
  )
}
