import { expect, it } from 'vitest'
import type { PullVerdict } from '@/api/contract'
import { checksLine, hunkTail, latestVerdicts, orderLook, stateLook, threadsInOrder } from './words'

it('a draft is open at the forge, and is called a draft', () => {
  expect(stateLook({ pr_state: 'open', draft: true }).word).toBe('Draft')
  expect(stateLook({ pr_state: 'merged', draft: false }).word).toBe('Merged')
})

it('checks are counted with the failed ones first', () => {
  expect(checksLine([])).toBe('No checks')
  expect(checksLine([{ state: 'success' }, { state: 'failure' }, { state: 'success' }])).toBe('1 failed, 2 passed')
})

it('the latest verdict of each reviewer counts, and a comment takes none away', () => {
  const review = (author: string, state: PullVerdict['state']): PullVerdict => ({ author, state, body: '', head_sha: null, stale: false, submitted_at: '' })
  const latest = latestVerdicts([review('ann', 'changes_requested'), review('bob', 'approved'), review('ann', 'approved'), review('ann', 'commented')])
  expect(latest.map(({ author, state }) => `${author} ${state}`)).toEqual(['ann approved', 'bob approved'])
})

it('open threads come before those that are resolved', () => {
  const thread = (id: string, resolved: boolean | null) => ({ id, path: 'a', line: 1, on_base: false, hunk: null, resolved, comments: [] })
  expect(threadsInOrder([thread('1', true), thread('2', null), thread('3', false)]).map(({ id }) => id)).toEqual(['2', '3', '1'])
})

it('of a long hunk only its end is shown', () => {
  expect(hunkTail('@@ -1 +1 @@\n a\n+b')).toEqual(['@@ -1 +1 @@', ' a', '+b'])
  expect(hunkTail(`@@ -1 +1 @@\n${Array.from({ length: 20 }, (_, line) => `+${line}`).join('\n')}`, 2)).toEqual(['+18', '+19'])
})

it('what waits is either decided or not', () => {
  expect(orderLook({ state: 'waiting', accepted: true, job_id: null }, null).word).toBe('Waits for its job')
  expect(orderLook({ state: 'failed', accepted: true, job_id: '1' }, null).word).toBe('Not done')
  expect(orderLook({ state: 'waiting', accepted: false, job_id: null }, null).word).toBe('Being decided')
})

it('an order is with the agent as long as its job lives', () => {
  expect(orderLook({ state: 'ordered', accepted: true, job_id: 'j' }, 'j').word).toBe('The agent has it')
  expect(orderLook({ state: 'ordered', accepted: true, job_id: 'j' }, null).word).toBe('Was given to the agent')
})
