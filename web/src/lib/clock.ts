/** The server's time, and a tick that all relative times share, so that a board with thousands of cards has one timer. */
import { useSyncExternalStore } from 'react'

/** How far this machine's clock is behind the server's: without it, "12 s ago" would be wrong wherever a clock is. */
let behind = 0
/** The header `Date` has whole seconds, and the answer took a moment. */
const INEXACT_MS = 2_500

export function noteServerTime(header: string | null): void {
  const at = header === null ? Number.NaN : Date.parse(header)
  if (Number.isNaN(at)) return
  const difference = at + 500 - Date.now()
  behind = Math.abs(difference) < INEXACT_MS ? 0 : difference
}

/** The server's time, as well as it is known. */
export function serverNow(): number {
  return Date.now() + behind
}

const listeners = new Set<() => void>()
let now = serverNow()
let timer: ReturnType<typeof setInterval> | undefined

function tick(): void {
  if (document.hidden) return
  now = serverNow()
  for (const listener of listeners) listener()
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  timer ??= setInterval(tick, 5_000)
  return () => {
    listeners.delete(listener)
    if (listeners.size > 0) return
    clearInterval(timer)
    timer = undefined
  }
}

/** The time, renewed every five seconds. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now)
}
