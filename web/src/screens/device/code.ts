/** The code that the command shows, as people type it. Pure. */

/** No vowels: no code is a word. */
const LETTERS = /^[BCDFGHJKLMNPQRSTVWXZ]{8}$/

/** `bcdfghjk` or `bcdf-ghjk` as `BCDF-GHJK`; null if it can't be a code. */
export function readCode(typed: string): string | null {
  const plain = typed.toUpperCase().replace(/[\s-]/g, '')
  return LETTERS.test(plain) ? `${plain.slice(0, 4)}-${plain.slice(4)}` : null
}

/** Where the API has a code. */
export function addressOf(code: string, decision: '' | '/approve' | '/deny' = ''): string {
  return `/api/device-logins/${encodeURIComponent(code)}${decision}`
}
