/** What can be decided about something in the inbox, with one key each. Pure; `useDecide.ts` sends it. */
import type { InboxItem } from '@/api/contract'
import { plural } from '@/lib/time'
import type { IconName } from '@/ui'

export type Verdict = 'approve' | 'reject' | 'retry' | 'done' | 'backlog' | 'snooze'
export interface Decision { item: InboxItem; verdict: Verdict; note?: string; forSec?: number }

interface Look { label: string; key: string; icon: IconName; about: string; pending: string; done: string; failed: string }

export const looks: Record<Verdict, Look> = {
  approve: { label: 'Approve', key: 'a', icon: 'done', about: 'Approve the checkpoint', pending: 'Approving', done: 'It goes on.', failed: 'It is not approved.' },
  reject: { label: 'Reject', key: 'x', icon: 'failed', about: 'Reject the checkpoint: its job fails', pending: 'Rejecting', done: 'It is rejected.', failed: 'It is not rejected.' },
  retry: { label: 'Retry', key: 'r', icon: 'retry', about: 'Retry what failed', pending: 'Retrying', done: 'It is tried again.', failed: 'It is not tried again.' },
  done: { label: 'Done', key: 'd', icon: 'done', about: 'Move the ticket to Done', pending: 'Moving to Done', done: 'The ticket is done.', failed: 'The ticket stays where it was.' },
  backlog: { label: 'Back to the backlog', key: 'b', icon: 'backlog', about: 'Move the ticket back to the backlog', pending: 'Moving to the backlog', done: 'The ticket is in the backlog.', failed: 'The ticket stays where it was.' },
  snooze: { label: 'Later', key: 'z', icon: 'waiting', about: 'Show it again later', pending: 'Putting it off', done: 'It comes back', failed: 'It was not put off.' },
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

/** What a checkpoint is about, as texts with a title each: files as files, text as text, the rest as JSON. */
export function previews(data: Record<string, unknown>): { title: string; text: string }[] {
  const { files, text, ...rest } = data
  const shown: { title: string; text: string }[] = []
  if (typeof text === 'string') shown.push({ title: 'Text', text })
  if (Array.isArray(files)) {
    for (const file of files as unknown[]) {
      const { path, contentPreview, content } = (file ?? {}) as Record<string, unknown>
      const body = contentPreview ?? content
      shown.push({ title: typeof path === 'string' ? path : 'A file', text: typeof body === 'string' ? body : JSON.stringify(file, null, 2) })
    }
  }
  if (Object.keys(rest).length > 0) shown.push({ title: 'More', text: JSON.stringify(rest, null, 2) })
  return shown
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
