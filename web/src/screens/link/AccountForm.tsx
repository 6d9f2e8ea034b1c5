import type { LinkLook } from '@/api/contract'
import { errorOfField, fieldAtFault } from '@/lib/field-error'
import { SHORTEST_PASSWORD } from '@/lib/passwords'
import { Button, ErrorNote, Field, Input } from '@/ui'
import { type FormEvent, useState } from 'react'

export interface AccountValues { email?: string; name?: string; password?: string }

const FIELDS = ['email', 'name', 'password'] as const

export function AccountForm({ look, sending, error, onSubmit }: { look: LinkLook; sending: boolean; error: unknown; onSubmit: (values: AccountValues) => void }) {
  const isNew = look.kind !== 'reset'
  const [email, setEmail] = useState(look.email ?? '')
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const [shown, setShown] = useState(false)
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (!sending) onSubmit(isNew ? { email: email.trim(), name: name.trim(), password } : { password })
  }
  return (
    <form onSubmit={submit} className="flex flex-col gap-3">
      {isNew && (
        <>
          <Field label="Email" error={errorOfField(error, FIELDS, 'email')} hint={look.email ? 'The invitation is for this address.' : undefined}>
            {(control) => <Input {...control} type="email" autoComplete="username" required readOnly={look.email !== null} autoFocus={look.email === null} value={email} onChange={(event) => setEmail(event.target.value)} />}
          </Field>
          <Field label="Name" hint="Others see it beside what you do." error={errorOfField(error, FIELDS, 'name')}>
            {(control) => <Input {...control} autoComplete="name" required autoFocus={look.email !== null} value={name} onChange={(event) => setName(event.target.value)} />}
          </Field>
        </>
      )}
      <Field label={isNew ? 'Password' : 'New password'} hint={`At least ${SHORTEST_PASSWORD} characters. A few words are easy to remember and hard to guess.`} error={errorOfField(error, FIELDS, 'password')}>
        {(control) => <Input {...control} type={shown ? 'text' : 'password'} autoComplete="new-password" required minLength={SHORTEST_PASSWORD} autoFocus={!isNew} value={password} onChange={(event) => setPassword(event.target.value)} />}
      </Field>
      <label className="flex items-center gap-2 text-sm"><input type="checkbox" className="size-4 accent-accent" checked={shown} onChange={(event) => setShown(event.target.checked)} />Show the password</label>
      {error != null && fieldAtFault(error, FIELDS) === null && <ErrorNote error={error} />}
      <Button type="submit" kind="primary" sending={sending}>{isNew ? 'Make the account' : 'Save the password'}</Button>
    </form>
  )
}
