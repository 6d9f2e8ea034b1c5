import type { InboxItem } from '@/api/contract'
import { describe, expect, it } from 'vitest'
import { chosenAfter, idOf, neighbour, snoozes, standingLine, verdictsFor } from './decisions'

const item = (change: Partial<InboxItem>): InboxItem => ({
  ticket_id: 't', project_id: 'p', project_name: 'P', title: 'T', kind: 'failed', since: '2026-01-01T00:00:00Z', sentence: '', detail: null, job_id: 'j', pr_url: null, pr_number: null, review: null, diffstat: null, checkpoint: null, ...change,
})

describe('the inbox', () => {
  it('offers a retry only for what failed', () => {
    expect(verdictsFor(item({}))[0]).toBe('retry')
    expect(verdictsFor(item({ kind: 'pull_request' }))).not.toContain('retry')
    expect(verdictsFor(item({ job_id: null }))).not.toContain('retry')
  })
  it('lets people approve and reject a checkpoint, which is known by its own id', () => {
    const checkpoint = { id: 'c' } as NonNullable<InboxItem['checkpoint']>
    expect(verdictsFor(item({ kind: 'checkpoint', checkpoint }))).toEqual(['approve', 'reject', 'snooze'])
    expect([idOf(item({ checkpoint })), idOf(item({}))]).toEqual(['c', 't'])
  })
  it('keeps the chosen one, or takes the one in its place', () => {
    expect(chosenAfter(['a', 'b', 'c'], 'b', 1)).toBe('b')
    expect(chosenAfter(['a', 'c'], 'b', 1)).toBe('c')
    expect(chosenAfter(['a'], 'b', 1)).toBe('a')
    expect(chosenAfter([], 'b', 1)).toBeNull()
  })
  it('steps over what is being decided and stops at the ends', () => {
    expect(neighbour(['a', 'b', 'c'], 'a', 1, new Set(['b']))).toBe('c')
    expect(neighbour(['a', 'b'], 'b', 1, new Set())).toBeNull()
    expect(neighbour(['a', 'b'], null, 1, new Set())).toBe('a')
  })
  it('puts off into the future, always', () => {
    for (let day = 1; day <= 7; day += 1) {
      const times = snoozes(new Date(2026, 5, day, 23, 30))
      expect(times.every(({ forSec }) => forSec > 0 && forSec <= 8 * 24 * 3600)).toBe(true)
    }
    const sunday = new Date(2026, 5, 7, 12, 0)
    expect(snoozes(sunday).at(-1)?.forSec).toBe(21 * 3600)
  })
})

it('how a pull request stands is one line', () => {
  const review = { pr_state: 'open' as const, draft: false, review_state: null, review_by: null, review_stale: false, checks: null, open_threads: null, ready: false }
  expect(standingLine(review)).toBe('Not reviewed yet.')
  expect(standingLine({ ...review, review_state: 'approved', review_by: 'ann', checks: 'success', ready: true })).toBe('Approved by ann, checks passed.')
  expect(standingLine({ ...review, review_state: 'changes_requested', review_by: 'ann', review_stale: true, checks: 'pending', open_threads: 2 }))
    .toBe('Changes requested by ann at an earlier head, checks running, 2 open threads.')
})
