import type { ProofTerms } from '@/api/types'

/** What a person types: a command, or a sentence, on each line. */
export interface ProofValues { setup: string; verification: string; acceptance: string }

export const PROOF_FIELDS = ['setup', 'verification', 'acceptance'] as const

/** Text as a person sees it. */
export function proofValues(terms: ProofTerms): ProofValues {
  const text = (entries: string[] | undefined) => (entries ?? []).join('\n')
  return { setup: text(terms.setup), verification: text(terms.verification), acceptance: text(terms.acceptance) }
}

/** What is sent: each line is one entry, blank lines are none. An entry of several lines, which only programs set, stays as it is while its field is not changed. */
export function proofTerms(values: ProofValues, stored: ProofTerms): ProofTerms {
  const before = proofValues(stored)
  const entries = (name: keyof ProofValues) => (values[name] === before[name] ? (stored[name] ?? []) : values[name].split('\n').map((line) => line.trim()).filter((line) => line !== ''))
  return { setup: entries('setup'), verification: entries('verification'), acceptance: entries('acceptance') }
}

/** Whether saving would change anything. */
export function proofDiffers(values: ProofValues, stored: ProofTerms): boolean {
  const before = proofValues(stored)
  return PROOF_FIELDS.some((name) => values[name] !== before[name])
}

/** What a runner found in the repository, as the fields would have it; null where the project verifies something already, or nothing was found. */
export function takenOver(proposed: ProofTerms, stored: ProofTerms): Pick<ProofValues, 'setup' | 'verification'> | null {
  if ((stored.verification ?? []).length > 0 || (proposed.verification ?? []).length === 0) return null
  // What prepares a checkout already stays as it is.
  const { setup, verification } = proofValues({ ...proposed, setup: (stored.setup ?? []).length > 0 ? stored.setup : proposed.setup })
  return { setup, verification }
}
