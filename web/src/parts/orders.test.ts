import { expect, it } from 'vitest'
import { branchOf, canLaunch, progress, titleOf } from './orders'

it('the title of an order is the first line that says something', () => {
  expect([titleOf({ objective: '\n  Do it\nand more' }), titleOf({ objective: '' })]).toEqual(['Do it', 'Work order'])
})

it('only what did not begin, could not begin or has ended is launched', () => {
  const order = { status: 'pending', source: 'cloud', launch_error: null } as const
  expect([order, { ...order, status: 'running' as const }].map(canLaunch)).toEqual([false, false])
  expect([{ ...order, launch_error: 'No repository.' }, { ...order, source: 'local' as const }, { ...order, status: 'failed' as const }].map(canLaunch)).toEqual([true, true, true])
})

it('skipped lines are not open', () => {
  expect(progress([{ status: 'completed' }, { status: 'skipped' }, { status: 'in_progress' }])).toBe('2 of 3 done')
  expect(progress([])).toBeNull()
})

it('a branch is named where it is known', () => {
  expect([branchOf({ branch_name: 'release', default_branch: 'main' }), branchOf({ branch_name: null, default_branch: 'develop' }), branchOf({ branch_name: null, default_branch: 'main' })]).toEqual(['release', 'develop', null])
})
