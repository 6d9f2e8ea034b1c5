import type { BudgetLimit, Budgets } from '@/api/types'

export const LEVELS = ['attempt', 'ticket', 'project', 'day'] as const
export const UNITS = ['usd', 'tokens', 'calls'] as const
export type Level = (typeof LEVELS)[number]
export type Unit = (typeof UNITS)[number]

/** What a person types: a number of each unit for each level; nothing where nothing is limited. */
export type BudgetValues = Record<`${Level}.${Unit}`, string>

const each = <T>(levels: readonly Level[], make: (level: Level, unit: Unit) => T) => levels.flatMap((level) => UNITS.map((unit) => make(level, unit)))

/** What is set, as a person sees it. */
export function budgetValues(set: Budgets): BudgetValues {
  return Object.fromEntries(each(LEVELS, (level, unit) => [`${level}.${unit}`, set[level]?.[unit]?.toString() ?? ''])) as BudgetValues
}

/** What is wrong with what a person typed, if anything is. */
export function budgetProblem(value: string, unit: Unit): string | null {
  const text = value.trim()
  if (text === '') return null
  const number = Number(text)
  if (!(number > 0) || !Number.isFinite(number)) return 'Write a number above 0, or nothing.'
  return unit !== 'usd' && !Number.isInteger(number) ? 'Write a whole number.' : null
}

/** What is sent: of these levels what is not empty. */
export function budgetBody(values: BudgetValues, levels: readonly Level[]): Budgets {
  const body: Budgets = {}
  for (const level of levels) {
    const set = UNITS.filter((unit) => values[`${level}.${unit}`].trim() !== '')
    if (set.length > 0) body[level] = Object.fromEntries(set.map((unit) => [unit, Number(values[`${level}.${unit}`])]))
  }
  return body
}

const whose: Record<Level, string> = { attempt: 'each attempt', ticket: 'this ticket', project: 'the project', day: 'the project today' }

const amount = (value: number, unit: Unit) => (unit === 'usd' ? `$${value.toFixed(2)}` : Math.round(value).toLocaleString('en'))

/** What is left of a limit, for people. */
export function leftOf({ level, unit, amount: all, left }: BudgetLimit): string {
  const what = unit === 'usd' ? '' : ` ${unit}`
  return left <= 0 ? `Nothing left of ${amount(all, unit)}${what} for ${whose[level]}` : `${amount(left, unit)} of ${amount(all, unit)}${what} left for ${whose[level]}`
}
