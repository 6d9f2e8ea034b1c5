import { expect, it } from 'vitest'
import { hookPath, hostOf, lastOf } from './forges'

it('a webhook of one project has its own path', () => {
  expect(hookPath('gitea', null)).toBe('/webhooks/gitea')
  expect(hookPath('github', 'p1')).toBe('/webhooks/github/p1')
})

it('the last delivery is that of the same sender', () => {
  const deliveries = [{ sender: 'gitlab' as const, received_at: 'b' }, { sender: 'github' as const, received_at: 'a' }]
  expect(lastOf(deliveries, 'github')).toBe('a')
  expect(lastOf(deliveries, 'gitea')).toBeNull()
})

it('a credential is for the host of the repository, with its port', () => {
  expect(hostOf('https://github.com/a/b')).toBe('github.com')
  expect(hostOf('http://git.example:3000/a/b.git')).toBe('git.example:3000')
  expect(hostOf('git@github.com:a/b')).toBe('')
  expect(hostOf(null)).toBe('')
})
