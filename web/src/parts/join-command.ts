/** The commands with which a host joins. Pure. */

/** A word for a POSIX shell. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}

export function joinCommand({ origin, token, slots }: { origin: string; token: string; slots: number }): { doctor: string; run: string } {
  const environment = [`TERARCHITECT_API_URL=${shellWord(origin)}`, `TERARCHITECT_WORKER_API_KEY=${shellWord(token)}`]
  return {
    doctor: [...environment, 'terarchitect-coordinator doctor'].join(' \\\n  '),
    run: [...environment, `MAX_CONCURRENT_AGENTS=${slots}`, 'terarchitect-coordinator'].join(' \\\n  '),
  }
}

/** Whether only this machine reaches the server under this name. */
export function isLocalAddress(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '::1' || hostname === '[::1]' || hostname.startsWith('127.') || hostname.endsWith('.localhost')
}
