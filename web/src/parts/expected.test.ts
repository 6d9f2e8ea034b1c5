import { describe, expect, it } from 'vitest'
import { expectedOf } from './expected'

const nothing = { tokens: null, cost_usd: null, minutes: null }

describe('what a ticket may use', () => {
  it('is what like tickets used, where that is known', () => {
    const expected = { like: 'project' as const, tickets: 12, tokens: { median: 1_200_000, p90: 3_000_000 }, cost_usd: { median: 1.5, p90: 4 }, minutes: { median: 0.4, p90: 31.6 } }
    expect(expectedOf(expected)).toBe('12 tickets of this project used 1,200,000 tokens (median), 3,000,000 tokens (90 %); $1.50 (median), $4.00 (90 %); less than 1 min (median), 32 min (90 %).')
    expect(expectedOf({ ...expected, like: 'agent', cost_usd: null, minutes: null })).toBe('12 tickets of the same agent used 1,200,000 tokens (median), 3,000,000 tokens (90 %).')
  })

  it.each([[0, 'no ticket of this project is'], [1, 'only 1 ticket of this project is'], [4, 'only 4 tickets of this project are']] as const)('is no number with %i tickets', (tickets, words) => {
    expect(expectedOf({ like: 'project', tickets, ...nothing })).toBe(`What it may use is not known yet: ${words} completed, and a number needs five that were counted.`)
  })
})
