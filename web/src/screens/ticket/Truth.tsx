/** How we know: which attempt, where, when it was last heard, for how long its lease holds. And why it waits, with what ends that. */
import type { Card } from '@/api/contract'
import { refreshCard } from '@/live/refresh'
import { useNow } from '@/lib/clock'
import { cleanOutput, saysMore } from '@/lib/text'
import { duration } from '@/lib/time'
import type { TicketAction } from '@/tickets/actions'
import { Button, Icon, isRunning, TimeAgo } from '@/ui'
import { useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'

/** A lease is renewed without an event, so a running card is asked for again before what is known of its lease runs out. */
function useFreshLease(card: Card, fetchedAt: number): void {
  const queries = useQueryClient()
  const { lease_remaining_ms: lease, id, project_id: projectId } = card
  useEffect(() => {
    if (lease === null || !isRunning(card.state.word)) return
    const timer = setTimeout(() => { if (!document.hidden) void refreshCard(queries, projectId, id) }, Math.max(8_000, lease / 2))
    return () => clearTimeout(timer)
  }, [lease, fetchedAt, card.state.word, queries, projectId, id])
}

export function Truth({ card, fetchedAt }: { card: Card; fetchedAt: number }) {
  useFreshLease(card, fetchedAt)
  useNow()
  const lease = card.lease_remaining_ms === null ? null : card.lease_remaining_ms - (Date.now() - fetchedAt)
  const parts = [
    card.attempt !== null && `Attempt ${card.attempt}${card.worker_id ? ` on ${card.worker_name ?? card.worker_id}` : ''}`,
    card.last_sign_of_life_at !== null && <>last sign of life <TimeAgo at={card.last_sign_of_life_at} /></>,
    lease !== null && (lease > 0 ? `lease holds for ${duration(lease)}` : 'lease not heard of again yet'),
  ].filter((part) => part !== false)
  if (parts.length === 0 && !card.last_line) return null
  return (
    <div className="flex flex-wrap items-center gap-x-2 gap-y-0.5 text-xs text-muted tabular">
      {parts.map((part, index) => <span key={index}>{index > 0 && <span aria-hidden="true">· </span>}{part}</span>)}
      {card.last_line && <span className="max-w-full truncate font-mono">{parts.length > 0 && <span aria-hidden="true">· </span>}{cleanOutput(card.last_line.text)}</span>}
    </div>
  )
}

/** `detail` is what the attempt itself said at its end. */
export function Why({ card, detail, mayChange, pending, onEnd }: { card: Card; detail: string | null; mayChange: boolean; pending: TicketAction | null; onEnd: () => void }) {
  const { why, sentence, word } = card.state
  const bad = word === 'failed' || word === 'silent'
  const tone = word === 'silent' ? 'bg-silent-soft text-silent' : bad ? 'bg-bad-soft text-bad' : 'bg-wait-soft text-wait'
  if (!why && !bad && word !== 'waiting' && word !== 'stopping') return null
  return (
    <div className={`flex flex-wrap items-center gap-x-3 gap-y-2 rounded-md px-3 py-2 text-sm ${tone}`}>
      <Icon name={bad ? 'warning' : 'waiting'} />
      <div className="min-w-0 grow basis-52">
        <p className="font-medium">{why?.sentence ?? sentence}</p>
        {word === 'failed' && detail && saysMore(sentence, detail) && <p className="break-words">{cleanOutput(detail)}</p>}
      </div>
      {why?.action && mayChange && <Button size="small" disabled={pending !== null} onClick={onEnd}>{why.action.label}</Button>}
    </div>
  )
}
