/** Gives components the live layer: `useConnection` for what to show, `useEvents` for views that follow one object. */
import { keys } from '@/api/keys'
import { useQueryClient } from '@tanstack/react-query'
import { createContext, type ReactNode, useContext, useEffect, useRef, useState, useSyncExternalStore } from 'react'
import { Live } from './live'
import type { Connection, LiveEvent } from './protocol'
import { Refresh } from './refresh'

const LiveContext = createContext<Live | null>(null)

/** Follows the event log while `active`, which is while somebody is signed in. */
export function LiveProvider({ active, children }: { active: boolean; children: ReactNode }) {
  const queries = useQueryClient()
  const [live] = useState(() => {
    const refresh = new Refresh(queries)
    return new Live({
      events: (events, cards) => refresh.push(events, cards),
      cards: (cards) => refresh.put(cards),
      reopened: () => {
        // The server ends a stream when its reader's rights change, so who one is may be new as well.
        for (const queryKey of [keys.session, keys.boards, keys.summary]) void queries.invalidateQueries({ queryKey })
      },
      resync: () => void queries.invalidateQueries(),
      // What was asked for before the log was followed may have missed a change in between.
      opened: (at) =>
        void queries.invalidateQueries({
          predicate: ({ queryKey, state }) =>
            queryKey[0] !== 'session' && (state.fetchStatus === 'fetching' || state.dataUpdatedAt < at),
        }),
      signedOut: () => void queries.invalidateQueries({ queryKey: keys.session }),
    })
  })
  useEffect(() => {
    if (!active) return
    live.start()
    return () => live.stop()
  }, [active, live])
  return <LiveContext value={live}>{children}</LiveContext>
}

export function useLive(): Live {
  const live = useContext(LiveContext)
  if (!live) throw new Error('useLive needs a LiveProvider above it')
  return live
}

export function useConnection(): Connection {
  const live = useLive()
  return useSyncExternalStore(live.subscribe, live.current)
}

/** Whether screens may load their data: what happens from then on is announced. */
export function useLiveReady(): boolean {
  const live = useLive()
  return useSyncExternalStore(live.subscribe, live.ready)
}

/** Calls `handle` with each event once. */
export function useEvents(handle: (events: LiveEvent[]) => void): void {
  const live = useLive()
  const latest = useRef(handle)
  useEffect(() => { latest.current = handle })
  useEffect(() => live.onEvents((events) => latest.current(events)), [live])
}
