/** Tells the agent something: it is in its next prompt, once. What happened to each message is what the server says. */
import { api, asCurl } from '@/api/client'
import type { Card, Msg } from '@/api/contract'
import { keys } from '@/api/keys'
import { useNow } from '@/lib/clock'
import { cleanOutput } from '@/lib/text'
import { Badge, Button, copyWithToast, IconButton, isRunning, Linked, Textarea, TimeAgo, toast } from '@/ui'
import { useMutation, useMutationState, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'

/** How long a delivered message stays beside the box. */
const STAYS_MS = 180_000

interface Props { card: Card; messages: Msg[]; mayChange: boolean }

export function Steer({ card, messages, mayChange }: Props) {
  const [text, setText] = useState('')
  const queries = useQueryClient()
  const path = `/api/projects/${card.project_id}/tickets/${card.id}/messages`
  const mutationKey = ['message', card.id]
  const post = useMutation({
    mutationKey,
    mutationFn: async (words: string) => {
      await api.post<Msg>(path, { text: words })
      // The mark stays until the message is there with what the server says of it.
      await queries.invalidateQueries({ queryKey: keys.ticketPage(card.id) })
    },
    onError: (error, words) => {
      setText((now) => now || words)
      toast.failed('The message was not sent.', error)
    },
  })
  const sending = useMutationState({ filters: { mutationKey, status: 'pending' }, select: (mutation) => mutation.state.variables as string })
  const submit = () => {
    const words = text.trim()
    if (!words) return
    setText('')
    post.mutate(words)
  }
  const where = isRunning(card.state.word) ? 'What you send is in the agent’s next prompt, once.' : 'What you send is in the first prompt of the next attempt.'
  const now = useNow()
  // Delivered ones stand in the log, at their turn; here they stay for a moment, so that one sees that it happened.
  const shown = messages.filter(({ delivered_at: at }) => at === null || now - Date.parse(at) < STAYS_MS)
  return (
    <section aria-label="Tell the agent" className="flex flex-col gap-2">
      {(shown.length > 0 || sending.length > 0) && (
        <ul className="flex max-h-48 flex-col gap-1.5 overflow-y-auto">
          {shown.map((message) => <MessageLine key={message.id} message={message} />)}
          {sending.map((words, index) => (
            <li key={`sending ${index}`} className="rounded-md border border-dashed border-line-strong px-3 py-1.5 text-sm">
              <span className="whitespace-pre-wrap">{words}</span><span className="ml-2 text-xs text-muted italic">Sent, not confirmed yet</span>
            </li>
          ))}
        </ul>
      )}
      {mayChange && (
        <form className="flex items-end gap-2" onSubmit={(event) => { event.preventDefault(); submit() }}>
          <div className="grow">
            <label htmlFor="steer" className="sr-only">Tell the agent. {where}</label>
            <Textarea
              id="steer" rows={1} value={text} placeholder="Tell the agent" className="field-sizing-content max-h-40 w-full"
              onChange={(event) => setText(event.target.value)}
              onKeyDown={(event) => {
                if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return
                event.preventDefault()
                submit()
              }}
            />
          </div>
          <IconButton icon="copy" label="Copy as curl" onClick={() => void copyWithToast(asCurl('POST', path, { text: text.trim() || '…' }), 'The command was')} />
          <Button type="submit" kind="primary" icon="send" disabled={!text.trim()}>Send</Button>
        </form>
      )}
      {mayChange && <p className="text-xs text-muted">{where}</p>}
    </section>
  )
}

function MessageLine({ message }: { message: Msg }) {
  return (
    <li className="rounded-md bg-accent-soft px-3 py-1.5 text-sm">
      <span className="font-medium">{message.author}:</span> <span className="whitespace-pre-wrap"><Linked text={cleanOutput(message.text)} /></span>
      <span className="ml-2 inline-flex flex-wrap items-center gap-2 align-middle text-xs text-muted">
        {message.delivered_at === null
          ? <Badge tone="wait" icon="waiting">In the next prompt</Badge>
          : <Badge tone="good" icon="done">{message.turn === null ? 'Delivered' : `Delivered in turn ${message.turn}`}</Badge>}
        <TimeAgo at={message.created_at} />
      </span>
    </li>
  )
}
