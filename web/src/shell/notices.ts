/** Notices of the browser about what comes into the Inbox: off until somebody turns them on, in this browser alone. */
import { useSyncExternalStore } from 'react'

const NAME = 'terarchitect-notices'

/** `unknown`: this browser has none, or the page is not on https and not on this machine. */
export type Notices = 'on' | 'off' | 'denied' | 'unknown'

const listeners = new Set<() => void>()

function wanted(): boolean {
  try {
    return localStorage.getItem(NAME) === 'on'
  } catch {
    return false
  }
}

function current(): Notices {
  if (typeof Notification === 'undefined' || !window.isSecureContext) return 'unknown'
  if (Notification.permission === 'denied') return 'denied'
  return wanted() && Notification.permission === 'granted' ? 'on' : 'off'
}

function set(on: boolean): void {
  try {
    if (on) localStorage.setItem(NAME, 'on')
    else localStorage.removeItem(NAME)
  } catch {
    // Storage is off: there are no notices then.
  }
  for (const listener of listeners) listener()
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  // Another tab turned them on or off.
  window.addEventListener('storage', listener)
  return () => {
    listeners.delete(listener)
    window.removeEventListener('storage', listener)
  }
}

export function useNotices(): Notices {
  return useSyncExternalStore(subscribe, current)
}

/** Shows one. Tabs show the same one under its tag, and the browser keeps one of them. False: this browser refuses pages that show any. */
export function notice(title: string, body: string, tag: string, onOpen: () => void): boolean {
  try {
    const shown = new Notification(title, { body, tag, icon: '/favicon.svg' })
    shown.onclick = () => { window.focus(); shown.close(); onOpen() }
    return true
  } catch {
    // Browsers of phones leave notices to installed pages.
    return false
  }
}

/** Asks the browser, once; the first notice says that it worked. */
export async function turnOn(): Promise<Notices> {
  await Notification.requestPermission()
  if (Notification.permission === 'granted') {
    if (!notice('Notices are on', 'You are told when something comes into the Inbox.', 'terarchitect-on', () => undefined)) return 'unknown'
    set(true)
  } else {
    set(false)
  }
  return current()
}

export function turnOff(): void {
  set(false)
}
