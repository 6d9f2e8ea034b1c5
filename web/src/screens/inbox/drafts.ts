/** What was typed to an item, by the item and what it is for: closing a dialog loses nothing, and neither does a refusal. */
const drafts = new Map<string, string>()

export type Draft = 'note' | 'answer' | 'reason'

export function draftOf(id: string, draft: Draft): string {
  return drafts.get(`${draft} ${id}`) ?? ''
}

export function keep(id: string, draft: Draft, text: string): void {
  drafts.set(`${draft} ${id}`, text)
}

/** Once it is decided, nothing of it is of use any more. */
export function forget(id: string): void {
  for (const draft of ['note', 'answer', 'reason'] as const) drafts.delete(`${draft} ${id}`)
}
