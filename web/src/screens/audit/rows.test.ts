import { describe, expect, it } from 'vitest'
import { actorOf, actorsOf, csvAddress, isFiltered, kindName, kindsOf, queryOf } from './rows'

describe('the audit', () => {
  it('takes days as the moments that they span', () => {
    const query = queryOf({ from: '2026-03-01', until: '2026-03-01', kind: 'ticket.moved' })
    expect(query.kind).toBe('ticket.moved')
    expect(Date.parse(query.until ?? '') - Date.parse(query.from ?? '')).toBe(86_400_000)
    expect(queryOf({ from: 'yesterday' }).from).toBeUndefined()
  })
  it('names actors as the API does', () => {
    expect(actorOf({ kind: 'person', id: '7', name: 'Ada' })).toBe('person:7')
    expect(actorOf({ kind: 'api-key', id: null, name: 'The key' })).toBe('api-key')
    expect(actorsOf([], [], 'person:8').at(-1)).toEqual(['person:8', 'person:8'])
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
