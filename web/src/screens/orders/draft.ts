/** What was typed for a new order: going elsewhere on this page loses nothing. */
import { type ContentValues, contentOf, valuesOfContent } from '@/parts/order-content'

export interface Draft { repo: string; agent: string; source: 'cloud' | 'local'; content: ContentValues }

export function emptyDraft(): Draft {
  return { repo: '', agent: '', source: 'cloud', content: valuesOfContent() }
}

let kept = emptyDraft()
export const draft = { get: () => kept, set: (next: Draft) => { kept = next } }

export function bodyOf({ repo, agent, source, content }: Draft): Record<string, unknown> {
  return { ...contentOf(content), ...(repo ? { repo_id: repo } : {}), ...(agent ? { agent_id: agent } : {}), source }
}

let sent = { body: '', key: '' }

/** The same for the same order, so that one whose answer was lost is not made twice; another for another one. */
export function keyFor(body: string): string {
  if (sent.body !== body) sent = { body, key: [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('') }
  return sent.key
}

export function forgetKey(): void {
  sent = { body: '', key: '' }
}
