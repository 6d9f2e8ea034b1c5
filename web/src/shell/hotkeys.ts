/** Keys that work on a whole screen. They do nothing while somebody types, or while a dialog or a menu is open. */
import { useEffect, useRef } from 'react'

export interface Hotkey {
  /** One key as in `KeyboardEvent.key`, such as `c` or `?`; `mod+k` is with Ctrl or Cmd. */
  key: string
  /** For the help of the keyboard; keys without it are not listed. */
  about?: string
  run: (event: KeyboardEvent) => void
}

const shown = new Map<symbol, { title: string; keys: Hotkey[] }>()

/** What the help lists: the keys of all screens that are open. */
export function shownHotkeys(): { title: string; keys: Hotkey[] }[] {
  return [...shown.values()].filter((group) => group.keys.some((key) => key.about))
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName))
}

export function useHotkeys(title: string, keys: Hotkey[]): void {
  const latest = useRef(keys)
  useEffect(() => { latest.current = keys })
  useEffect(() => {
    const name = Symbol(title)
    shown.set(name, { title, get keys() { return latest.current } })
    const pressed = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.altKey) return
      const mod = event.ctrlKey || event.metaKey
      if (!mod && (isTyping(event.target) || document.querySelector('[role="dialog"],[role="menu"]'))) return
      const wanted = mod ? `mod+${event.key.toLowerCase()}` : event.key
      const hotkey = latest.current.find((one) => one.key === wanted)
      if (!hotkey) return
      event.preventDefault()
      hotkey.run(event)
    }
    window.addEventListener('keydown', pressed)
    return () => {
      shown.delete(name)
      window.removeEventListener('keydown', pressed)
    }
  }, [title])
}
