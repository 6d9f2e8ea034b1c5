/** Light, dark, or as the system has it. The choice is kept in this browser. */
import { useSyncExternalStore } from 'react'

export type Theme = 'light' | 'dark' | 'system'

const NAME = 'terarchitect-theme'
const dark = window.matchMedia('(prefers-color-scheme: dark)')
const listeners = new Set<() => void>()

function stored(): Theme {
  try {
    const value = localStorage.getItem(NAME)
    return value === 'light' || value === 'dark' ? value : 'system'
  } catch {
    return 'system'
  }
}

let theme = stored()

function apply(): void {
  const isDark = theme === 'dark' || (theme === 'system' && dark.matches)
  document.documentElement.dataset['theme'] = isDark ? 'dark' : 'light'
}

/** Called before the first paint, and follows the system from then on. */
export function startTheme(): void {
  apply()
  dark.addEventListener('change', apply)
}

export function setTheme(next: Theme): void {
  theme = next
  try {
    localStorage.setItem(NAME, next)
  } catch {
    // Storage is off: the choice holds until the page is closed.
  }
  apply()
  for (const listener of listeners) listener()
}

export function useTheme(): Theme {
  return useSyncExternalStore((listener) => { listeners.add(listener); return () => listeners.delete(listener) }, () => theme)
}
