/** Short messages about what was done or refused. Refusals stay until they are closed; the rest goes by itself. */
import { ApiError, sentenceOf } from '@/api/errors'
import { cx } from '@/lib/cx'
import { useSyncExternalStore } from 'react'
import { Button, IconButton } from './Button'
import { Icon } from './Icon'

interface Undo { label: string; run: () => void }
interface Toast { id: number; tone: 'good' | 'bad'; text: string; requestId: string | null; undo?: Undo | undefined }

let toasts: Toast[] = []
let nextId = 1
const listeners = new Set<() => void>()

function set(next: Toast[]): void {
  toasts = next
  for (const listener of listeners) listener()
}

function add(toast: Omit<Toast, 'id'>): void {
  const id = nextId++
  set([...toasts.filter((other) => other.text !== toast.text).slice(-3), { ...toast, id }])
  if (toast.tone === 'good') setTimeout(() => dismiss(id), toast.undo ? 12_000 : 5_000)
}

function dismiss(id: number): void {
  set(toasts.filter((toast) => toast.id !== id))
}

export const toast = {
  /** What was done, and how to take it back where that is possible. */
  done: (text: string, undo?: Undo) => add({ tone: 'good', text, requestId: null, undo }),
  /** What was attempted, then why it failed: `toast.failed('The ticket was not moved.', error)`. */
  failed: (what: string, error?: unknown) =>
    add({ tone: 'bad', text: error === undefined ? what : `${what} ${sentenceOf(error)}`, requestId: error instanceof ApiError ? error.requestId : null }),
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

export function Toasts() {
  const shown = useSyncExternalStore(subscribe, () => toasts)
  return (
    <div role="status" aria-live="polite" className="pointer-events-none fixed inset-x-3 bottom-20 z-[60] flex flex-col items-end gap-2 sm:inset-x-auto sm:right-4 sm:bottom-4">
      {shown.map((item) => (
        <div key={item.id} className={cx('pointer-events-auto flex w-full max-w-md items-start gap-3 rounded-lg border-l-4 bg-raised py-2 pr-1 pl-3 text-sm shadow-high', item.tone === 'bad' ? 'border-l-bad' : 'border-l-good')}>
          <Icon name={item.tone === 'bad' ? 'failed' : 'done'} className={cx('mt-2', item.tone === 'bad' ? 'text-bad' : 'text-good')} />
          <div className="grow py-1.5">
            {item.text}
            {item.requestId && <div className="mt-0.5 font-mono text-2xs text-muted">Request {item.requestId}</div>}
          </div>
          {item.undo && <Button size="small" className="mt-1" onClick={() => { dismiss(item.id); item.undo?.run() }}>{item.undo.label}</Button>}
          <IconButton icon="close" label="Close this message" size="small" onClick={() => dismiss(item.id)} />
        </div>
      ))}
    </div>
  )
}
