/** Who is signed in, and what they may do. */
import { api } from '@/api/client'
import type { Session } from '@/api/contract'
import { keys } from '@/api/keys'
import { queryOptions, useSuspenseQuery } from '@tanstack/react-query'

export const sessionQuery = queryOptions({
  queryKey: keys.session,
  queryFn: ({ signal }) => api.get<Session>('/api/session', { signal }),
  staleTime: 60_000,
})

/**
 * Who used this page last. When a session ends in the middle of work, the screen stays as it was for that person, so that
 * nothing typed is lost, and a dialog asks to sign in again.
 */
let last: Session | null = null
/** Somebody signs out now; until the session says so, it is not remembered again. */
let leaving = false

/** On screens for people who are not signed in. */
export function forgetLastSession(): void {
  last = null
  leaving = false
}

function leave(): void {
  last = null
  leaving = true
}

/** Somebody who signs out wants nothing of theirs to stay on the screen, in no tab. */
const signOuts = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel('terarchitect-sign-out')
signOuts?.addEventListener('message', leave)

export function announceSignOut(): void {
  leave()
  signOuts?.postMessage(null)
}

/** Below the shell, where the session is known. */
export function useSession(): Session {
  const { data } = useSuspenseQuery(sessionQuery)
  if (data.signed_in && !leaving) last = data
  return last ?? data
}

/** Whether somebody used this page before and is not signed in any more. */
export function wasSignedIn(): boolean {
  return last !== null
}

/** What this person may do in a project. The server decides; this only keeps buttons away that it would refuse. */
export function mayChange(session: Session, projectId?: string): boolean {
  if (session.role === 'admin') return true
  const own = projectId ? session.person?.projects.find((project) => project.project_id === projectId)?.role : undefined
  return (own ?? session.role) === 'member'
}

export function isAdmin(session: Session): boolean {
  return session.role === 'admin'
}
