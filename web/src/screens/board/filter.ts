/** What is looked for; in the address too, so that a filtered board can be sent to somebody. */
import { useNavigate, useSearch } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { type StateFilter, stateFilters } from './model'

export interface Filter {
  find: string
  state: StateFilter
  setFind: (text: string) => void
  setState: (state: StateFilter) => void
}

/** Typing never waits for the address to change. */
const SETTLED_MS = 400

export function useFilter(): Filter {
  const search = useSearch({ strict: false }) as { find?: string; state?: string }
  const navigate = useNavigate()
  const [find, setFind] = useState(search.find ?? '')
  const [state, setState] = useState<StateFilter>(stateFilters.find(({ id }) => id === search.state)?.id ?? 'all')
  useEffect(() => {
    const timer = setTimeout(() => {
      if ((search.find ?? '') === find && (search.state ?? 'all') === state) return
      void navigate({ to: '.', replace: true, search: { ...(find ? { find } : {}), ...(state === 'all' ? {} : { state }) } })
    }, SETTLED_MS)
    return () => clearTimeout(timer)
  }, [find, state, search.find, search.state, navigate])
  return { find, state, setFind, setState }
}
