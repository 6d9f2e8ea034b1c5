/** Decides whether somebody sees the shell, the sign-in, or the first start. */
import { ErrorNote } from '@/ui'
import { LiveProvider } from '@/live/context'
import { useQuery } from '@tanstack/react-query'
import { Navigate, Outlet, useRouterState } from '@tanstack/react-router'
import { lazy, Suspense, useEffect } from 'react'
import { forgetLastSession, sessionQuery, wasSignedIn } from './session'

/** Screens for people who are not signed in. */
const OPEN = new Set(['/sign-in', '/link'])

const SignInAgain = lazy(() => import('@/parts/SignInAgain'))

export function Gate() {
  const session = useQuery(sessionQuery)
  const path = useRouterState({ select: (state) => state.location.pathname })
  const href = useRouterState({ select: (state) => state.location.href })
  const signedIn = session.data?.signed_in ?? false
  const open = OPEN.has(path)
  useEffect(() => { if (open) forgetLastSession() }, [open])
  if (!session.data && session.error) {
    return (
      <main className="mx-auto max-w-lg p-6 pt-24">
        <h1 className="mb-3 text-xl">Terarchitect</h1>
        <ErrorNote error={session.error} onRetry={() => void session.refetch()} />
      </main>
    )
  }
  if (!session.data) return null
  if (!signedIn && !open && !wasSignedIn()) {
    return <Navigate to="/sign-in" search={path === '/' ? {} : { return_to: href }} replace />
  }
  return (
    <LiveProvider active={signedIn}>
      {open ? <main id="main" className="flex min-h-dvh flex-col"><Outlet /></main> : <Outlet />}
      {!signedIn && !open && <Suspense fallback={null}><SignInAgain session={session.data} /></Suspense>}
    </LiveProvider>
  )
}
