/** The session ended in the middle of work: asks to sign in again, and leaves everything on the screen as it was. */
import type { Session } from '@/api/contract'
import { useSession } from '@/shell/session'
import { useSignedIn } from '@/shell/signed-in'
import { Dialog, toast } from '@/ui'
import { SignInForm } from './SignInForm'

export default function SignInAgain({ session }: { session: Session }) {
  const before = useSession()
  const signedIn = useSignedIn()
  const here = window.location.pathname + window.location.search
  return (
    <Dialog open onClose={() => toast.failed('Sign in to go on. What you typed is still here.')} title="You are signed out" about="Your session ended. Sign in again to go on where you were; what you typed is kept.">
      <SignInForm session={session} returnTo={here} email={before.person?.email ?? ''} onDone={(next) => { signedIn(next); toast.done('You are signed in again.') }} />
    </Dialog>
  )
}
