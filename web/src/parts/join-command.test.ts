import { describe, expect, it } from 'vitest'
import { isLocalAddress, joinCommand, shellWord } from './join-command'

describe('the command with which a host joins', () => {
  it('can be pasted as it is', () => {
    expect(joinCommand({ origin: 'https://t.example', token: 'tat_abc', slots: 2 }).run).toBe(
      'TERARCHITECT_API_URL=https://t.example \\\n  TERARCHITECT_WORKER_API_KEY=tat_abc \\\n  MAX_CONCURRENT_AGENTS=2 \\\n  terarchitect-coordinator',
    )
  })
  it('quotes what a shell would read', () => {
    expect(shellWord("a'b c")).toBe(`'a'\\''b c'`)
    expect(shellWord('$(x)')).toBe("'$(x)'")
  })
  it('knows addresses that lead to this machine alone', () => {
    expect(['localhost', '127.0.0.1', '[::1]', 'a.localhost'].every(isLocalAddress)).toBe(true)
    expect(isLocalAddress('build.example.com')).toBe(false)
  })
})
