/** `/link#<token>`: the first admin, an invitation, a new password, or a sign-in. Each link works once. */
import { api } from '@/api/client'
import type { LinkLook, Session } from '@/api/contract'
import { ApiError } from '@/api/errors'
import { Front } from '@/parts/Front'
import { sessionQuery } from '@/shell/session'
import { useSignedIn } from '@/shell/signed-in'
import { Button, buttonClass, CopyBox, ErrorNote, Skeleton } from '@/ui'
import { useMutation, useQuery } from '@tanstack/react-query'
import { Link as To, useNavigate } from '@tanstack/react-router'
import { useEffect, useState, useSyncExternalStore } from 'react'
import { AccountForm, type AccountValues } from './AccountForm'
import { about, titles } from './words'

function useToken(): string {
  return useSyncExternalStore((listener) => {
    window.addEventListener('hashchange', listener)
    return () => window.removeEventListener('hashchange', listener)
  }, () => window.location.hash.slice(1))
}

export default function Link() {
  const fragment = useToken()
  // The fragment is taken out of the address once it is used; the screen still needs it.
  const [token, setToken] = useState(fragment)
  useEffect(() => { if (fragment) setToken(fragment) }, [fragment])
  const session = useQuery(sessionQuery).data
  const look = useQuery({
    queryKey: ['link', token], enabled: token !== '', gcTime: 0,
    queryFn: ({ signal }) => api.post<LinkLook>('/api/links/look', { token }, { signal }),
  })
  if (!token) return <Spent title="This link is incomplete" about="It ends too early: a part behind the # sign is missing. Copy the whole link and open it again." signedIn={session?.signed_in ?? false} />
  if (look.error instanceof ApiError && look.error.status === 410) {
    return <Spent title="This link does not work any more" about="It was used already, or it has expired. Each link works once." signedIn={session?.signed_in ?? false} />
  }
  if (look.error) return <Front title="The link could not be checked"><ErrorNote error={look.error} onRetry={() => void look.refetch()} /></Front>
  if (!look.data || !session) return <Front title="Checking the link"><Skeleton label="Checking the link" /></Front>
  return <Use key={token} token={token} look={look.data} session={session} />
}

function Use({ token, look, session }: { token: string; look: LinkLook; session: Session }) {
  const navigate = useNavigate()
  const signedIn = useSignedIn()
  const use = useMutation({
    mutationFn: (values: AccountValues) => api.post<Session>('/api/links/use', { token, ...values }),
    onSuccess: async (next) => {
      window.history.replaceState(null, '', '/link')
      signedIn(next)
      await navigate({ to: look.kind === 'first_admin' ? '/start' : '/', replace: true })
    },
  })
  if (use.error instanceof ApiError && use.error.status === 410) {
    return <Spent title="This link does not work any more" about="It was used in the meantime, or it has just expired." signedIn={session.signed_in} />
  }
  return (
    <Front title={titles[look.kind]} about={about(look)}>
      {session.person && session.person.email !== look.email && (
        <p className="mb-4 rounded-md bg-wait-soft p-3 text-sm text-wait">You are signed in as {session.person.email}. Using this link replaces that sign-in.</p>
      )}
      {look.kind === 'sign_in' ? (
        <div className="flex flex-col gap-3">
          {use.error && <ErrorNote error={use.error} />}
          <Button kind="primary" autoFocus sending={use.isPending} onClick={() => use.mutate({})}>{use.isPending ? 'Signing in' : 'Sign in'}</Button>
        </div>
      ) : (
        <AccountForm look={look} sending={use.isPending} error={use.error} onSubmit={(values) => use.mutate(values)} />
      )}
    </Front>
  )
}

function Spent({ title, about: text, signedIn }: { title: string; about: string; signedIn: boolean }) {
  return (
    <Front title={title} about={text}>
      <div className="flex flex-col gap-3 text-sm">
        {signedIn ? <To to="/" className={buttonClass('primary')}>Go on, you are signed in</To> : <To to="/sign-in" className={buttonClass('primary')}>Sign in</To>}
        <p>Need another one? An admin makes new links under People. On the server itself, this prints one that signs in:</p>
        <CopyBox label="Command" text="terarchitect-api admin link --email you@example.com" />
      </div>
    </Front>
  )
}
