/** Times of schedules, as their viewer and as their own zone have them. Pure. */
import { duration } from '@/lib/time'

export function ownZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC'
}

/** All zones that this browser knows, for a list; UTC is not among them everywhere. */
export function zones(): string[] {
  const known = typeof Intl.supportedValuesOf === 'function' ? Intl.supportedValuesOf('timeZone') : []
  return ['UTC', ...known.filter((zone) => zone !== 'UTC')]
}

const SHOWN = { weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' } as const

/** A time in a zone; null where this browser does not know the zone. */
export function timeIn(at: string, zone: string, locale?: string): string | null {
  try {
    return new Intl.DateTimeFormat(locale, { ...SHOWN, timeZone: zone }).format(Date.parse(at))
  } catch {
    return null
  }
}

/** `in 3 h`; what is due already is due now. */
export function inTime(at: string, now: number): string {
  const left = Date.parse(at) - now
  return left < 1_000 ? 'due now' : `in ${duration(left)}`
}

/** Expressions that people need often, in words. */
export const presets: readonly { expression: string; words: string }[] = [
  { expression: '0 * * * *', words: 'every hour' },
  { expression: '0 */6 * * *', words: 'every six hours' },
  { expression: '0 3 * * *', words: 'every night at 3' },
  { expression: '0 9 * * 1-5', words: 'on weekdays at 9' },
  { expression: '0 8 * * 1', words: 'on Mondays at 8' },
  { expression: '0 6 1 * *', words: 'on the first of each month at 6' },
]

/** An expression in words, where it is one of those. */
export function wordsOf(expression: string): string | null {
  return presets.find((preset) => preset.expression === expression.trim().replace(/\s+/g, ' '))?.words ?? null
}
