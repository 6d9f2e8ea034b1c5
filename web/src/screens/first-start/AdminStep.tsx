import { api } from '@/api/client'
import type { Session } from '@/api/contract'
import { Button, ErrorNote } from '@/ui'
import { useMutation } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { Next } from './Next'

export function AdminStep({ session, onNext }: { session: Session; onNext: () => void }) {
  const navigate = useNavigate()
  const make = useMutation({
    mutationFn: () => api.post<{ link: string }>('/api/invitations', { role: 'admin' }),
    onSuccess: ({ link }) => navigate({ to: '/link', hash: new URL(link).hash.slice(1) }),
  })
  if (session.person) {
    return <div className="flex flex-col gap-3 text-sm"><p>You are {session.person.name}, an admin. You can invite others under <Link to="/people" className="underline">People</Link> at any time.</p><Next onNext={onNext} /></div>
  }
  return (
    <div className="flex flex-col gap-3 text-sm">
      <p>You use this server {session.as === 'local' ? 'from its own machine, and without an account' : 'with a key'}. Make an account for yourself: others need one to sign in from elsewhere, and the audit then says who did what.</p>
      {make.error && <ErrorNote error={make.error} />}
      <div className="flex flex-wrap gap-2"><Button kind="primary" sending={make.isPending} onClick={() => make.mutate()}>Make my account</Button><Button onClick={onNext}>Later</Button></div>
    </div>
  )
}
