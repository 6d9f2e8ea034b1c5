/** Email and password, and the way over the provider, wherever one signs in. */
import { api } from '@/api/client'
import type { Session } from '@/api/contract'
import { ApiError, sentenceOf } from '@/api/errors'
import { useCountdown } from '@/lib/countdown'
import { Button, buttonClass, ErrorNote, Field, Icon, Input } from '@/ui'
import { useMutation } from '@tanstack/react-query'
import { type FormEvent, useRef, useState } from 'react'

export function SignInForm({ session, returnTo, email: known = '', onDone }: { session: Session; returnTo: string; email?: string; onDone: (session: Session) => void }) {
  const { password: byPassword, oidc } = session.sign_in
  return (
    <div className="flex flex-col gap-4">
      {byPassword && <PasswordForm known={known} onDone={onDone} />}
      {byPassword && oidc && <p className="flex items-center gap-3 text-xs text-muted before:h-px before:grow before:bg-line after:h-px after:grow after:bg-line">or</p>}
      {oidc && (
        <a href={`/api/oidc/start?return_to=${encodeURIComponent(returnTo)}`} className={buttonClass(byPassword ? 'plain' : 'primary')}>
          <Icon name="person" />Sign in with {oidc.name}
        </a>
      )}
      {!byPassword && !oidc && <p className="text-sm text-muted">No way to sign in is set up on this server. An admin can make a link that signs in: terarchitect-api admin link --email you@example.com</p>}
    </div>
  )
}

function PasswordForm({ known, onDone }: { known: string; onDone: (session: Session) => void }) {
  const [email, setEmail] = useState(known)
  const [password, setPassword] = useState('')
  const field = useRef<HTMLInputElement>(null)
  const slow = useCountdown()
  const signIn = useMutation({
    mutationFn: () => api.post<Session>('/api/session', { email: email.trim(), password }),
    onSuccess: onDone,
    onError: (error) => {
      if (error instanceof ApiError && error.code === 'slow_down') slow.start(error.retryAfterSec ?? 5)
      else if (error instanceof ApiError && error.code === 'wrong_credentials') field.current?.select()
    },
  })
  const wrong = signIn.error instanceof ApiError && signIn.error.code === 'wrong_credentials'
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (!signIn.isPending && slow.left === 0) signIn.mutate()
  }
  return (
    <form onSubmit={submit} className="flex flex-col gap-3">
      <Field label="Email">
        {(control) => <Input {...control} type="email" name="email" autoComplete="username" required autoFocus={!known} readOnly={Boolean(known)} value={email} onChange={(event) => setEmail(event.target.value)} />}
      </Field>
      <Field label="Password" error={wrong ? sentenceOf(signIn.error) : null}>
        {(control) => <Input {...control} ref={field} type="password" name="password" autoComplete="current-password" required autoFocus={Boolean(known)} value={password} onChange={(event) => setPassword(event.target.value)} />}
      </Field>
      {signIn.error && !wrong && <ErrorNote error={signIn.error} />}
      <Button type="submit" kind="primary" sending={signIn.isPending} disabled={slow.left > 0}>
        {slow.left > 0 ? `Try again in ${slow.left} s` : signIn.isPending ? 'Signing in' : 'Sign in'}
      </Button>
      <p role="status" className="sr-only">{slow.left > 0 ? 'Wait before you try again.' : ''}</p>
    </form>
  )
}
