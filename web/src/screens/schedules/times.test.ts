import { expect, it } from 'vitest'
import { inTime, timeIn, wordsOf, zones } from './times'

it('shows a time in each zone, and says nothing about zones that it does not know', () => {
  expect(timeIn('2026-07-01T22:30:00Z', 'Europe/Berlin', 'en-GB')).toMatch(/^Thu.* 2 Jul.* 00:30$/)
  expect(timeIn('2026-07-01T22:30:00Z', 'UTC', 'en-GB')).toMatch(/^Wed.* 1 Jul.* 22:30$/)
  expect(timeIn('2026-07-01T22:30:00Z', 'Mars/Olympus')).toBeNull()
  expect(zones()[0]).toBe('UTC')
  expect(new Set(zones()).size).toBe(zones().length)
})

it('says when it is due', () => {
  const now = Date.parse('2026-07-01T00:00:00Z')
  expect([inTime('2026-07-01T03:30:00Z', now), inTime('2026-07-01T00:00:00Z', now), inTime('2026-06-30T00:00:00Z', now)]).toEqual(['in 3 h', 'due now', 'due now'])
})

it('knows its presets, however they are spaced', () => {
  expect([wordsOf('0  9 * * 1-5 '), wordsOf('5 4 * * *')]).toEqual(['on weekdays at 9', null])
})
