import { describe, expect, it } from 'vitest'
import { proofDiffers, proofTerms, proofValues } from './proof'

describe('what a ticket has to show', () => {
  it('is a line for each entry, and blank lines are none', () => {
    const values = { ...proofValues({ verification: ['npm test'] }), verification: 'npm run lint\n\n  npm test  \n', acceptance: 'It is fast.' }
    expect(proofTerms(values, { verification: ['npm test'] })).toEqual({ setup: [], verification: ['npm run lint', 'npm test'], acceptance: ['It is fast.'] })
  })

  it('keeps a command of several lines while nobody changes it', () => {
    const stored = { setup: ['set -e\nnpm ci'], verification: ['npm test'] }
    const values = proofValues(stored)
    expect(proofDiffers(values, stored)).toBe(false)
    const changed = { ...values, acceptance: 'It is fast.' }
    expect(proofDiffers(changed, stored)).toBe(true)
    expect(proofTerms(changed, stored).setup).toEqual(['set -e\nnpm ci'])
  })
})
