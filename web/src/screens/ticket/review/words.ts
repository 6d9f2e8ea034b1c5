/** What the page says about a pull request. Pure: the server decides what can be done. */
import type { PullCheck, PullOrder, PullReview, PullThread, PullVerdict } from '@/api/contract'
import { plural } from '@/lib/time'
import type { IconName, Tone } from '@/ui'

export interface Look { word: string; tone: Tone; icon: IconName }

export function stateLook(review: Pick<PullReview, 'pr_state' | 'draft'>): Look {
  if (review.pr_state === 'merged') return { word: 'Merged', tone: 'good', icon: 'done' }
  if (review.pr_state === 'closed') return { word: 'Closed', tone: 'quiet', icon: 'cancelled' }
  return review.draft ? { word: 'Draft', tone: 'quiet', icon: 'edit' } : { word: 'Open', tone: 'review', icon: 'pr' }
}

export const checkLooks: Record<PullCheck['state'], Look> = {
  success: { word: 'Passed', tone: 'good', icon: 'done' },
  failure: { word: 'Failed', tone: 'bad', icon: 'failed' },
  pending: { word: 'Running', tone: 'run', icon: 'waiting' },
  neutral: { word: 'Skipped', tone: 'quiet', icon: 'minus' },
}

export const verdictLooks: Record<PullVerdict['state'], Look> = {
  approved: { word: 'Approved', tone: 'good', icon: 'done' },
  changes_requested: { word: 'Asks for changes', tone: 'bad', icon: 'edit' },
  commented: { word: 'Commented', tone: 'quiet', icon: 'info' },
  dismissed: { word: 'Dismissed', tone: 'quiet', icon: 'cancelled' },
}

/** How the checks stand together, in a few words. */
export function checksLine(checks: Pick<PullCheck, 'state'>[]): string {
  if (checks.length === 0) return 'No checks'
  const count = (state: PullCheck['state']) => checks.filter((check) => check.state === state).length
  const parts = [[count('failure'), 'failed'], [count('pending'), 'running'], [count('success'), 'passed'], [count('neutral'), 'skipped']] as const
  return parts.filter(([many]) => many > 0).map(([many, word]) => `${many} ${word}`).join(', ')
}

/** Each reviewer's latest verdict; a comment takes none away. */
export function latestVerdicts(reviews: PullVerdict[]): PullVerdict[] {
  const latest = new Map<string, PullVerdict>()
  for (const review of reviews) {
    if (review.state === 'commented' && latest.has(review.author)) continue
    latest.set(review.author, review)
  }
  return [...latest.values()]
}

/** Those that still wait for somebody come first. */
export function threadsInOrder(threads: PullThread[]): PullThread[] {
  return threads.toSorted((a, b) => Number(a.resolved === true) - Number(b.resolved === true))
}

export function threadPlace(thread: Pick<PullThread, 'path' | 'line'>): string {
  return thread.line === null ? thread.path : `${thread.path}:${thread.line}`
}

/** The end of a hunk: what is far from the line says little. */
export function hunkTail(hunk: string, lines = 8): string[] {
  const all = hunk.replace(/\n$/, '').split('\n')
  const [head, ...rest] = all
  if (head === undefined || !head.startsWith('@@')) return all.slice(-lines)
  return rest.length <= lines ? all : rest.slice(-lines)
}

/** What became of something that was said: an order, none, or not decided yet. `jobId` is the review's job that waits or runs. */
export function orderLook(order: Pick<PullOrder, 'state' | 'accepted' | 'job_id'>, jobId: string | null): Look {
  if (order.state === 'ordered') return order.job_id === jobId ? { word: 'The agent has it', tone: 'run', icon: 'agent' } : { word: 'Was given to the agent', tone: 'quiet', icon: 'agent' }
  if (order.state === 'answered') return { word: 'Answered', tone: 'good', icon: 'done' }
  if (order.state === 'refused') return { word: 'No order', tone: 'quiet', icon: 'minus' }
  if (order.state === 'failed') return { word: 'Not done', tone: 'bad', icon: 'failed' }
  return order.accepted ? { word: 'Waits for its job', tone: 'wait', icon: 'waiting' } : { word: 'Being decided', tone: 'wait', icon: 'waiting' }
}

export function openThreads(threads: Pick<PullThread, 'resolved'>[]): string {
  const open = threads.filter((thread) => thread.resolved !== true).length
  return open === 0 ? 'No open threads' : plural(open, 'open thread')
}
