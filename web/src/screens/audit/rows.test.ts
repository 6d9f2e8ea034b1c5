import { describe, expect, it } from 'vitest'
import { csvAddress, isFiltered, kindName, kindsOf, queryOf } from './rows'

describe('the audit', () => {
  it('takes days as the moments that they span', () => {
    const query = queryOf({ from: '2026-03-01', until: '2026-03-01', kind: 'ticket.moved' })
    expect(query.kind).toBe('ticket.moved')
    expect(Date.parse(query.until ?? '') - Date.parse(query.from ?? '')).toBe(86_400_000)
    expect(queryOf({ from: 'yesterday' }).from).toBeUndefined()
  })
  it('exports what is shown', () => {
    expect(csvAddress({ actor: 'ada & co' })).toBe('/api/audit?actor=ada+%26+co&format=csv')
  })
  it('names kinds, also ones that it has not heard of', () => {
    expect(kindName('sign_in.failed')).toBe('Sign in failed')
    expect(kindsOf([], 'new.thing')).toContain('new.thing')
    expect(isFiltered({})).toBe(false)
    expect(isFiltered({ actor: 'a' })).toBe(true)
  })
})
