import { expect, it } from 'vitest'
import { forgeChangesOf, type ForgeValues } from './forge-fields'

const before: ForgeValues = {
  review_trigger: 'changes_or_mention', review_quiet_sec: '60', review_bots: '', max_check_fixes: '2', base_update: 'merge',
  delete_merged_branch: false, issue_label: 'agent', forge_kind: '',
}

it('only what differs is sent, in the types of the API', () => {
  expect(forgeChangesOf(before, before)).toEqual({})
  expect(forgeChangesOf(before, { ...before, review_quiet_sec: '0', review_bots: 'renovate[bot], lint', delete_merged_branch: true, issue_label: ' ', forge_kind: 'gitea' }))
    .toEqual({ review_quiet_sec: 0, review_bots: ['renovate[bot]', 'lint'], delete_merged_branch: true, issue_label: null, forge_kind: 'gitea' })
})
