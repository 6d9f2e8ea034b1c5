/** `/device?code=…`: a command in a terminal asks to be signed in, and the person decides here. */
import { api } from '@/api/client'
import type { DeviceLogin } from '@/api/contract'
import { ApiError, sentenceOf } from '@/api/errors'
import { keys } from '@/api/keys'
import { Front } from '@/parts/Front'
import { useSession } from '@/shell/session'
import { Button, buttonClass, ErrorNote, Field, Icon, Input, Skeleton } from '@/ui'
import { useMutation, useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { type FormEvent, type ReactNode, useEffect, useRef, useState } from 'react'
import { addressOf, readCode } from './code'
import { type Decision, Question } from './Question'
import { afterwards } from './words'

export default function Device() {
  const { code = '' } = useSearch({ from: '/device' })
  return <main id="main" className="flex min-h-dvh flex-col"><ForPeople key={code} code={code} /></main>
}

function ForPeople({ code }: { code: string }) {
  const session = useSession()
  const known = readCode(code)
  if (!session.person) {
    return (
      <Front title="Nobody to sign in" about="Only a person can let the command in, and nobody is signed in here as one.">
        <p className="text-sm">On the server’s own machine <code className="font-mono">terarchitect login</code> needs no code as long as nobody has an account. Elsewhere, <code className="font-mono">terarchitect login --token</code> takes the server’s key.</p>
      </Front>
    )
  }
  return known ? <Decide code={known} /> : <Type first={code} wrong={code ? 'That is no code. It has eight letters, such as BCDF-GHJK.' : null} />
}

function Decide({ code }: { code: string }) {
  const session = useSession()
  const login = useQuery({
    queryKey: [...keys.deviceLogin, code], gcTime: 0, staleTime: Infinity, retry: false,
    queryFn: ({ signal }) => api.get<DeviceLogin>(addressOf(code), { signal }),
  })
  const decide = useMutation({ mutationFn: (decision: Decision) => api.post(addressOf(code, `/${decision}`)) })
  const is = (status: number) => [decide.error, login.error].some((error) => error instanceof ApiError && error.status === status)
  if (decide.isSuccess) return <Decided approved={decide.variables === 'approve'} name={login.data?.name ?? ''} />
  if (is(410)) return <Over />
  if (login.error && is(404)) return <Type first={code} wrong={sentenceOf(login.error)} />
  if (login.error) return <Front title="The code could not be checked"><ErrorNote error={login.error} onRetry={() => void login.refetch()} /></Front>
  if (!login.data) return <Front title="Checking the code"><Skeleton label="Checking the code" /></Front>
  return (
    <Front title="Let this program sign in?" about="Compare the code with the one in your terminal.">
      <Question login={login.data} session={session} sending={decide.isPending ? decide.variables : null} error={decide.error} onDecide={(decision) => decide.mutate(decision)} />
    </Front>
  )
}

/** Asks for the code, where the address has none or a wrong one. */
function Type({ first, wrong }: { first: string; wrong: string | null }) {
  const navigate = useNavigate()
  const [typed, setTyped] = useState(first)
  const [refused, setRefused] = useState(wrong)
  const submit = (event: FormEvent) => {
    event.preventDefault()
    const code = readCode(typed)
    if (!code) setRefused('That is no code. It has eight letters, such as BCDF-GHJK.')
    else if (code === readCode(first)) setRefused(wrong)
    else void navigate({ to: '/device', search: { code } })
  }
  return (
    <Front title="Sign in a command" about="Enter the code that terarchitect login shows in your terminal.">
      <form onSubmit={submit} className="flex flex-col gap-3">
        <Field label="Code" error={refused}>
          {(control) => <Input {...control} className="font-mono uppercase tracking-widest" autoComplete="off" autoCapitalize="characters" spellCheck={false} required autoFocus maxLength={20} value={typed} onChange={(event) => setTyped(event.target.value)} />}
        </Field>
        <Button type="submit" kind="primary">Go on</Button>
      </form>
    </Front>
  )
}

function Decided({ approved, name }: { approved: boolean; name: string }) {
  return (
    <Front title={approved ? 'Approved' : 'Denied'}>
      <Said icon={approved ? 'check' : 'info'}>{afterwards(approved)}</Said>
      {approved
        ? <p className="mt-3 text-sm text-muted">To take it back, revoke the token “{name}” under <Link to="/settings" search={{ show: 'tokens' }} className="underline">Settings, Tokens</Link>, or run <code className="font-mono">terarchitect logout</code> there.</p>
        : <p className="mt-3 text-sm text-muted">If you did not start it yourself, somebody tried to get in with your account. Nobody did.</p>}
    </Front>
  )
}

function Over() {
  return (
    <Front title="This code does not work any more">
      <Said icon="info">It was used already, or it is older than ten minutes.</Said>
      <p className="mt-3 text-sm">Run <code className="font-mono">terarchitect login</code> again, and open the address that it shows then.</p>
      <Link to="/" className={`${buttonClass()} mt-4`}>Open the board</Link>
    </Front>
  )
}

/** What has just happened. The button that was pressed is gone, so the focus goes here, and readers say it. */
function Said({ icon, children }: { icon: 'check' | 'info'; children: ReactNode }) {
  const place = useRef<HTMLParagraphElement>(null)
  useEffect(() => place.current?.focus(), [])
  return <p ref={place} role="status" tabIndex={-1} className="flex gap-2 text-sm outline-none"><Icon name={icon} className={icon === 'check' ? 'mt-0.5 text-good' : 'mt-0.5 text-muted'} /><span>{children}</span></p>
}
