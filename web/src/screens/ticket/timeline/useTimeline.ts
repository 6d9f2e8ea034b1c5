import { useConnection, useEvents, useLive } from '@/live/context'
import { useEffect, useRef, useState, useSyncExternalStore } from 'react'
import { type TimelineState, TimelineStore } from './store'

/** Entries that are announced together are fetched together. */
const GATHER_MS = 250

/** Follows a ticket's log. */
export function useTimeline(projectId: string, ticketId: string): { state: TimelineState; store: TimelineStore } {
  const [store] = useState(() => new TimelineStore(`/api/projects/${projectId}/tickets/${ticketId}/timeline`))
  const state = useSyncExternalStore(store.subscribe, store.current)
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  const connection = useConnection().state
  // When the connection is there again, whatever happened meanwhile is asked for.
  useEffect(() => { void store.refresh() }, [store, connection])
  const live = useLive()
  useEffect(() => live.onGap(() => void store.refresh()), [live, store])
  useEvents((events) => {
    if (!events.some((event) => event.ticket_id === ticketId)) return
    timer.current ??= setTimeout(() => {
      timer.current = undefined
      void store.refresh()
    }, GATHER_MS)
  })
  useEffect(() => () => clearTimeout(timer.current), [])
  return { state, store }
}
