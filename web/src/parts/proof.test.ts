import { describe, expect, it } from 'vitest'
import { proofDiffers, proofTerms, proofValues, takenOver } from './proof'

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

describe('what is proposed from the repository', () => {
  const proposed = { setup: ['npm ci'], verification: ['cargo test', 'npm test'] }
  it('fills the fields of a project that verifies nothing', () => {
    expect(takenOver(proposed, {})).toEqual({ setup: 'npm ci', verification: 'cargo test\nnpm test' })
    expect(takenOver(proposed, { setup: ['make deps'], acceptance: ['It works.'] })).toEqual({ setup: 'make deps', verification: 'cargo test\nnpm test' })
  })
  it('is not offered where something is verified, or nothing was found', () => {
    expect(takenOver(proposed, { verification: ['make check'] })).toBeNull()
    expect(takenOver({}, {})).toBeNull()
    expect(takenOver({ setup: ['npm ci'] }, {})).toBeNull()
  })
})
