import { safeReturn } from '@/lib/return-to'
import { Front } from '@/parts/Front'
import { SignInForm } from '@/parts/SignInForm'
import { sessionQuery } from '@/shell/session'
import { useSignedIn } from '@/shell/signed-in'
import { CopyBox, Icon } from '@/ui'
import { useQuery } from '@tanstack/react-query'
import { useRouter, useSearch } from '@tanstack/react-router'
import { useEffect } from 'react'

/** What the server's words for a refused sign-in mean; it leads back here with one of them. */
const refusals: Record<string, string | undefined> = {
  sign_in_not_begun: 'This sign-in was not begun in this browser, or too long ago. Begin it again.',
  provider_failed: 'The provider did not sign you in. Try again, or ask an admin to read the server’s log.',
  not_allowed: 'Your account at the provider may not sign in here. Ask an admin to invite you, or to give you a role.',
}

export default function SignIn() {
  const session = useQuery(sessionQuery).data
  const { return_to: returnTo, error } = useSearch({ from: '/sign-in' })
  const target = safeReturn(returnTo, window.location.origin)
  const { history } = useRouter()
  const signedIn = useSignedIn()
  const inside = session?.signed_in ?? false
  useEffect(() => { if (inside) history.replace(target) }, [inside, history, target])
  if (!session || inside) return null
  if (session.needs_first_admin) return <NobodyYet />
  return (
    <Front title="Sign in" about={target === '/' ? undefined : 'You come back to where you were.'}>
      {error && (
        <p role="alert" className="mb-4 flex gap-2 rounded-md border border-bad/40 bg-bad-soft p-3 text-sm"><Icon name="warning" className="mt-0.5 text-bad" /><span>{refusals[error] ?? 'The sign-in did not work. Try again.'}</span></p>
      )}
      <SignInForm session={session} returnTo={target} onDone={signedIn} />
      <p className="mt-4 text-xs text-muted">Forgot the password? An admin can make you a link under People.</p>
    </Front>
  )
}

/** Nobody exists: only whoever reaches the server can make the first admin. */
function NobodyYet() {
  return (
    <Front title="Make the first admin" about="Nobody has an account on this server yet.">
      <div className="flex flex-col gap-3 text-sm">
        <p>When it started, the server wrote a link into its log. Open that link here: it makes the first admin, and works once.</p>
        <p>If you can’t find it, run this on the server. It asks for a password and makes an account:</p>
        <CopyBox label="Command" text="terarchitect-api admin create --email you@example.com" />
      </div>
    </Front>
  )
}
