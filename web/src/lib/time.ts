/** Times as people say them. */

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** `12 s`, `4 min`, `3 h`, `2 days`: one unit, rounded down. */
export function duration(ms: number): string {
  const t = Math.max(0, ms)
  if (t < MINUTE) return `${Math.floor(t / SECOND)} s`
  if (t < HOUR) return `${Math.floor(t / MINUTE)} min`
  if (t < DAY) return `${Math.floor(t / HOUR)} h`
  const days = Math.floor(t / DAY)
  return days === 1 ? '1 day' : `${days} days`
}

/** Two units, for how long something took: `1 min 12 s`. */
export function took(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`
  if (ms < HOUR) {
    const seconds = Math.floor((ms % MINUTE) / SECOND)
    return ms < MINUTE ? `${seconds} s` : `${Math.floor(ms / MINUTE)} min ${seconds} s`
  }
  return `${Math.floor(ms / HOUR)} h ${Math.floor((ms % HOUR) / MINUTE)} min`
}

export function ago(at: string | number, now: number): string {
  const past = now - (typeof at === 'number' ? at : Date.parse(at))
  if (past < 5 * SECOND) return 'just now'
  return `${duration(past)} ago`
}

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' })
export function exactly(at: string): string {
  return exact.format(Date.parse(at))
}

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' })
export function clockTime(at: string): string {
  return clock.format(Date.parse(at))
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
export function bytes(count: number): string {
  const power = Math.min(units.length - 1, count > 0 ? Math.floor(Math.log2(count) / 10) : 0)
  const value = count / 1024 ** power
  return `${value >= 100 || power === 0 ? Math.round(value) : value.toFixed(1)} ${units[power]}`
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`
}
