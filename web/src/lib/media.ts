import { useCallback, useSyncExternalStore } from 'react'

/** Whether the window fits a media query now. */
export function useMedia(query: string): boolean {
  const subscribe = useCallback((listener: () => void) => {
    const list = window.matchMedia(query)
    list.addEventListener('change', listener)
    return () => list.removeEventListener('change', listener)
  }, [query])
  return useSyncExternalStore(subscribe, () => window.matchMedia(query).matches)
}

/** Wide enough for two panes; the side bar begins here too. */
export function useWide(): boolean {
  return useMedia('(min-width: 1024px)')
}
