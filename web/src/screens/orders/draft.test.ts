import { expect, it } from 'vitest'
import { bodyOf, emptyDraft, forgetKey, keyFor } from './draft'

it('an empty choice is not sent', () => {
  expect(bodyOf(emptyDraft())).toEqual({ source: 'cloud' })
  expect(bodyOf({ ...emptyDraft(), repo: 'r', agent: 'a', source: 'local' })).toEqual({ repo_id: 'r', agent_id: 'a', source: 'local' })
})

it('the same order has the same key until it was made', () => {
  const first = keyFor('a')
  expect(first).toMatch(/^[0-9a-f]{32}$/)
  expect(keyFor('a')).toBe(first)
  const other = keyFor('b')
  expect(other).not.toBe(first)
  forgetKey()
  expect(keyFor('b')).not.toBe(other)
})
