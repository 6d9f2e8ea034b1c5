/** Which program asks, and the two answers. */
import type { DeviceLogin, Session } from '@/api/contract'
import { exactly } from '@/lib/time'
import { Button, ErrorNote, Kv, TimeAgo } from '@/ui'
import { whatItMay } from './words'

export type Decision = 'approve' | 'deny'

interface Props {
  login: DeviceLogin
  session: Session
  /** The answer that was sent and is not confirmed yet. */
  sending: Decision | null
  error: unknown
  onDecide: (decision: Decision) => void
}

export function Question({ login, session, sending, error, onDecide }: Props) {
  return (
    <div className="flex flex-col gap-4">
      <p className="rounded-md bg-sunken p-4 text-center font-mono text-2xl font-bold tracking-widest"><span className="sr-only">Code: </span>{login.user_code}</p>
      <Kv items={[
        ['Program', <span key="name" className="font-medium break-words">{login.name}</span>],
        ['Asks from', login.address ?? 'an unknown address'],
        ['Since', <TimeAgo key="since" at={login.created_at} />],
        ['Holds until', exactly(login.expires_at)],
        ['Signs in as', session.person?.email ?? ''],
      ]} />
      <p className="rounded-md border border-wait/40 bg-wait-soft p-3 text-sm text-wait">Approve only if you have just run <code className="font-mono">terarchitect login</code> yourself and it shows this code. If someone else sent you this code, they would get in as you.</p>
      <p className="text-sm text-muted">{whatItMay(session)}</p>
      {error != null && <ErrorNote error={error} />}
      <div className="flex flex-wrap gap-2">
        {session.role !== 'none' && <Button kind="primary" className="grow" sending={sending === 'approve'} disabled={sending !== null} onClick={() => onDecide('approve')}>{sending === 'approve' ? 'Approving' : 'Approve'}</Button>}
        <Button kind="danger" className="grow" sending={sending === 'deny'} disabled={sending !== null} onClick={() => onDecide('deny')}>{sending === 'deny' ? 'Denying' : 'Deny'}</Button>
      </div>
    </div>
  )
}
