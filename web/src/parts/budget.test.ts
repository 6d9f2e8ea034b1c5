import { describe, expect, it } from 'vitest'
import { budgetBody, budgetProblem, budgetValues, leftOf } from './budget'

describe('a budget', () => {
  it('limits what has a number, and nothing else', () => {
    const values = { ...budgetValues({ ticket: { tokens: 5000, usd: 2.5 } }), 'ticket.usd': ' ', 'attempt.calls': ' 40 ', 'day.usd': '9' }
    expect(values['ticket.tokens']).toBe('5000')
    expect(budgetBody(values, ['attempt', 'ticket'])).toEqual({ attempt: { calls: 40 }, ticket: { tokens: 5000 } })
    expect(budgetBody(values, ['day'])).toEqual({ day: { usd: 9 } })
  })

  it.each([['', 'usd', true], ['0.5', 'usd', true], ['0.5', 'tokens', false], ['-1', 'calls', false], ['0', 'usd', false], ['many', 'tokens', false], ['1e999', 'usd', false]] as const)('takes %j in %s: %s', (text, unit, good) => {
    expect(budgetProblem(text, unit) === null).toBe(good)
  })

  it('says what is left of it', () => {
    expect(leftOf({ level: 'ticket', unit: 'tokens', amount: 10_000, left: 4_000 })).toBe('4,000 of 10,000 tokens left for this ticket')
    expect(leftOf({ level: 'day', unit: 'usd', amount: 5, left: 0 })).toBe('Nothing left of $5.00 for the project today')
  })
})
