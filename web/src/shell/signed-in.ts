/** What happens after a sign-in, wherever it was made. */
import type { Session } from '@/api/contract'
import { keys } from '@/api/keys'
import { useLive } from '@/live/context'
import { useQueryClient } from '@tanstack/react-query'
import { useCallback } from 'react'

/** Takes the new session over; everything that was loaded for somebody else is loaded again. */
export function useSignedIn(): (session: Session) => void {
  const queries = useQueryClient()
  const live = useLive()
  return useCallback((session: Session) => {
    queries.removeQueries({ predicate: (query) => query.queryKey[0] !== 'session' && !query.isActive() })
    queries.setQueryData(keys.session, session)
    void queries.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'session' })
    live.restart()
  }, [queries, live])
}
