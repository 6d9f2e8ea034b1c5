import type { DeviceLogin, Session } from '@/api/contract'
import { createElement } from 'react'
import { renderToStaticMarkup } from 'react-dom/server'
import { describe, expect, it, vi } from 'vitest'
import { addressOf, readCode } from './code'
import { Question } from './Question'
import { afterwards } from './words'

// The shared tick needs a browser.
vi.mock('@/lib/clock', () => ({ useNow: () => Date.parse('2026-11-29T10:05:00Z'), serverNow: () => 0 }))

const login: DeviceLogin = { user_code: 'BCDF-GHJK', name: 'terarchitect on <b>laptop</b>', address: '192.0.2.7', created_at: '2026-11-29T10:03:00Z', expires_at: '2026-11-29T10:13:00Z' }
const person = { id: '1', email: 'ada@example.com', name: 'Ada', projects: [] }
const session = (role: Session['role']) => ({ role, person: { ...person, role }, signed_in: true }) as unknown as Session

function shown(role: Session['role'], sending: 'approve' | 'deny' | null = null): string {
  return renderToStaticMarkup(createElement(Question, { login, session: session(role), sending, error: null, onDecide: () => undefined }))
}

describe('the code', () => {
  it('is read as it is typed', () => {
    for (const typed of ['BCDF-GHJK', 'bcdfghjk', ' bcdf ghjk ', 'b-c-d-f-g-h-j-k']) expect(readCode(typed)).toBe('BCDF-GHJK')
  })
  it('is refused where it can be none', () => {
    for (const typed of ['', 'BCDF', 'BCDF-GHJKL', 'ABCD-EFGH', 'BCDF-GHJ1', '../../x']) expect(readCode(typed)).toBeNull()
  })
  it('is in the address of each request', () => {
    expect([addressOf('BCDF-GHJK'), addressOf('BCDF-GHJK', '/approve')]).toEqual(['/api/device-logins/BCDF-GHJK', '/api/device-logins/BCDF-GHJK/approve'])
  })
})

describe('the question', () => {
  it('says which program asks, from where, since when, and as whom it would be signed in', () => {
    const html = shown('member')
    for (const part of ['BCDF-GHJK', 'terarchitect on &lt;b&gt;laptop', '192.0.2.7', '2 min', 'ada@example.com', 'work with tickets', 'Approve', 'Deny']) expect(html).toContain(part)
  })
  it('can be approved by who has a role for all projects alone', () => {
    expect(shown('none')).not.toContain('>Approve<')
    expect(shown('none')).toContain('Deny')
    expect(shown('viewer')).toContain('>Approve<')
  })
  it('takes one answer', () => {
    const html = shown('admin', 'approve')
    expect(html).toContain('Approving')
    expect(html.match(/disabled=""/g)).toHaveLength(2)
  })
  it('says what to do afterwards', () => {
    expect(afterwards(true)).toContain('Go back to the terminal')
    expect(afterwards(false)).toContain('gets nothing')
  })
})
