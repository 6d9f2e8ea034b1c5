import { useCallback, useState } from 'react'

interface History<T> { past: T[]; now: T; future: T[] }
const DEPTH = 100

/** A value that can be undone and redone. `group` joins changes of one kind, such as steps of one drag, to one. */
export function useHistory<T>(initial: T) {
  const [{ history }, set] = useState<{ history: History<T>; group: string | null }>({ history: { past: [], now: initial, future: [] }, group: null })
  const change = useCallback((next: T, name: string | null = null) => set(({ history: old, group: last }) => {
    if (next === old.now) return { history: old, group: last }
    const past = name !== null && name === last ? old.past : [...old.past.slice(-DEPTH), old.now]
    return { history: { past, now: next, future: [] }, group: name }
  }), [])
  const undo = useCallback(() => set(({ history: old, group: last }) => {
    const before = old.past.at(-1)
    return before === undefined ? { history: old, group: last } : { history: { past: old.past.slice(0, -1), now: before, future: [old.now, ...old.future] }, group: null }
  }), [])
  const redo = useCallback(() => set(({ history: old, group: last }) => {
    const [after, ...future] = old.future
    return after === undefined ? { history: old, group: last } : { history: { past: [...old.past, old.now], now: after, future }, group: null }
  }), [])
  const reset = useCallback((value: T) => set({ history: { past: [], now: value, future: [] }, group: null }), [])
  return { now: history.now, change, undo, redo, reset, canUndo: history.past.length > 0, canRedo: history.future.length > 0 }
}
