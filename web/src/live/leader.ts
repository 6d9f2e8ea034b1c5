/**
 * One tab of the browser leads: it alone is connected, since HTTP/1.1 allows six connections to a host over all tabs. Web
 * Locks choose it; they exist only on https and on this machine, so elsewhere an entry with an end in localStorage does.
 */
const NAME = 'terarchitect-live'
const LEASE_MS = 30_000
const CHECK_MS = 5_000

/** Calls `run` while this tab leads; its signal ends with the leadership. Resolves when `signal` is aborted. */
export async function lead(run: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
  if ('locks' in navigator && navigator.locks) {
    await navigator.locks.request(NAME, { signal }, () => run(signal)).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
    return
  }
  await leadByStorage(run, signal)
}

interface Lease { holder: string; until: number }

function lease(): Lease | null {
  try {
    const value = JSON.parse(localStorage.getItem(NAME) ?? 'null') as Lease | null
    return value && typeof value.until === 'number' ? value : null
  } catch {
    return null
  }
}

const me = Math.random().toString(36).slice(2)
let holding = false

/** Extends the leadership; the source calls it with every sign of life, because timers of hidden tabs are slowed down. */
export function renewLeadership(): void {
  if (holding) localStorage.setItem(NAME, JSON.stringify({ holder: me, until: Date.now() + LEASE_MS }))
}

async function leadByStorage(run: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
  window.addEventListener('pagehide', release, { signal })
  while (!signal.aborted) {
    const current = lease()
    if (!current || current.until < Date.now() || current.holder === me) {
      holding = true
      renewLeadership()
      // Another tab may have written at the same moment: the last one leads.
      await pause(150, signal)
      if (lease()?.holder === me) await holdAndRun(run, signal)
      holding = false
    }
    await pause(CHECK_MS, signal)
  }
  release()
}

async function holdAndRun(run: (signal: AbortSignal) => Promise<void>, outer: AbortSignal): Promise<void> {
  const own = new AbortController()
  const end = () => own.abort()
  outer.addEventListener('abort', end)
  const timer = setInterval(() => {
    if (lease()?.holder === me) renewLeadership()
    else own.abort()
  }, CHECK_MS)
  try {
    await run(own.signal)
  } finally {
    clearInterval(timer)
    outer.removeEventListener('abort', end)
  }
}

function release(): void {
  if (holding && lease()?.holder === me) localStorage.removeItem(NAME)
  holding = false
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => { clearTimeout(timer); resolve() }, { once: true })
  })
}
