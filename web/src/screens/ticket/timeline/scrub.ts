/** A finished run as a film: the time between entries is kept where something happened, and cut where nothing did. Pure. */
import type { Entry } from '@/api/contract'

/** A longer pause takes this long in the film. */
const LONGEST_PAUSE_MS = 3_000

export interface Film {
  /** When each entry appears, in milliseconds of the film. */
  at: number[]
  length: number
  /** How long it took in truth, and how much of that was cut. */
  realMs: number
  cutMs: number
}

export function filmOf(entries: readonly Entry[]): Film {
  const at: number[] = []
  let now = 0
  let cutMs = 0
  let before: number | null = null
  for (const entry of entries) {
    const time = Date.parse(entry.created_at)
    const pause = before === null ? 0 : Math.max(0, time - before)
    const kept = Math.min(pause, LONGEST_PAUSE_MS)
    cutMs += pause - kept
    now += kept
    at.push(now)
    before = Math.max(before ?? time, time)
  }
  const first = entries[0]
  const realMs = first && before !== null ? before - Date.parse(first.created_at) : 0
  return { at, length: now, realMs, cutMs }
}

/** How many entries have appeared at a moment of the film. */
export function countAt(film: Film, moment: number): number {
  let low = 0
  let high = film.at.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((film.at[middle] ?? 0) <= moment) low = middle + 1
    else high = middle
  }
  return low
}
