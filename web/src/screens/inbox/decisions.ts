/** What can be decided about something in the inbox, with one key each. Pure; `useDecide.ts` sends it. */
import type { InboxItem } from '@/api/contract'
import { plural } from '@/lib/time'
import type { IconName } from '@/ui'

export type Verdict = 'approve' | 'reject' | 'retry' | 'done' | 'backlog' | 'snooze'
export interface Decision { item: InboxItem; verdict: Verdict; note?: string; forSec?: number }

interface Look { label: string; key: string; icon: IconName; about: string; pending: string; done: string; failed: string }

export const looks: Record<Verdict, Look> = {
  approve: { label: 'Approve', key: 'a', icon: 'done', about: 'Approve what an agent waits for, or answer its question', pending: 'Approving', done: 'It goes on.', failed: 'It still waits for you.' },
  reject: { label: 'Reject', key: 'x', icon: 'failed', about: 'Reject what an agent waits for, with a reason: its job fails', pending: 'Rejecting', done: 'It is rejected.', failed: 'It still waits for you.' },
  retry: { label: 'Retry', key: 'r', icon: 'retry', about: 'Retry what failed', pending: 'Retrying', done: 'It is tried again.', failed: 'It is not tried again.' },
  done: { label: 'Done', key: 'd', icon: 'done', about: 'Move the ticket to Done', pending: 'Moving to Done', done: 'The ticket is done.', failed: 'The ticket stays where it was.' },
  backlog: { label: 'Back to the backlog', key: 'b', icon: 'backlog', about: 'Move the ticket back to the backlog', pending: 'Moving to the backlog', done: 'The ticket is in the backlog.', failed: 'The ticket stays where it was.' },
  snooze: { label: 'Later', key: 'z', icon: 'waiting', about: 'Show it again later', pending: 'Putting it off', done: 'It comes back', failed: 'It was not put off.' },
}

/** What an item is known by: a ticket can wait at more than one checkpoint. */
export function idOf(item: Pick<InboxItem, 'ticket_id' | 'checkpoint'>): string {
  return item.checkpoint?.id ?? item.ticket_id
}

/** What can be decided about this item: only what failed can be tried again, and only if its job is known. */
export function verdictsFor(item: InboxItem): Verdict[] {
  if (item.checkpoint) return ['approve', 'reject', 'snooze']
  return item.kind === 'failed' && item.job_id ? ['retry', 'backlog', 'done', 'snooze'] : ['done', 'backlog', 'snooze']
}

/** How a pull request stands, in one line. */
export function standingLine(review: NonNullable<InboxItem['review']>): string {
  const verdict = { approved: 'Approved', changes_requested: 'Changes requested', commented: 'Commented' } as const
  const checks = { success: 'checks passed', failure: 'checks failed', pending: 'checks running', neutral: 'checks skipped' } as const
  const parts = [
    review.draft ? 'draft' : null,
    review.review_state ? `${verdict[review.review_state]}${review.review_by ? ` by ${review.review_by}` : ''}${review.review_stale ? ' at an earlier head' : ''}` : 'not reviewed yet',
    review.checks ? checks[review.checks] : null,
    review.open_threads ? plural(review.open_threads, 'open thread') : null,
  ].filter((part) => part !== null)
  const line = parts.join(', ')
  return `${line.charAt(0).toUpperCase()}${line.slice(1)}.`
}

export const HOUR = 3_600

/** For how long something can be put off. */
export function snoozes(now: Date): { label: string; forSec: number }[] {
  const tomorrow = new Date(now)
  tomorrow.setDate(now.getDate() + 1)
  tomorrow.setHours(9, 0, 0, 0)
  const monday = new Date(tomorrow)
  monday.setDate(now.getDate() + ((8 - now.getDay()) % 7 || 7))
  const until = (then: Date) => Math.round((then.getTime() - now.getTime()) / 1_000)
  return [
    { label: 'in an hour', forSec: HOUR },
    { label: 'in four hours', forSec: 4 * HOUR },
    { label: 'tomorrow at 9', forSec: until(tomorrow) },
    { label: 'on Monday at 9', forSec: until(monday) },
  ]
}

/** Which item is chosen after the list or a key changed: the same one, else the one that took its place. */
export function chosenAfter(ids: readonly string[], chosen: string | null, at: number): string | null {
  if (chosen !== null && ids.includes(chosen)) return chosen
  return ids[Math.min(at, ids.length - 1)] ?? null
}

/** The neighbour of the chosen one that is not being decided. */
export function neighbour(ids: readonly string[], chosen: string | null, by: 1 | -1, taken: ReadonlySet<string>): string | null {
  const from = chosen === null ? (by === 1 ? -1 : ids.length) : ids.indexOf(chosen)
  for (let at = from + by; at >= 0 && at < ids.length; at += by) {
    const id = ids[at]
    if (id !== undefined && !taken.has(id)) return id
  }
  return null
}
