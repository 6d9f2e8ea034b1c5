import { isAdmin, useSession } from '@/shell/session'
import { Screen, Tabs } from '@/ui'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { Account } from './Account'
import { Everybody } from './Everybody'
import { Invitations } from './Invitations'

export default function People() {
  const { show } = useSearch({ from: '/shell/people' })
  const session = useSession()
  const navigate = useNavigate()
  if (!isAdmin(session)) return <Screen title="Your account"><Account session={session} /></Screen>
  return (
    <Screen title="People">
      <Tabs
        label="People" value={show ?? 'everybody'} onChange={(id) => void navigate({ to: '/people', search: id === 'everybody' ? {} : { show: id } })}
        tabs={[
          { id: 'everybody', title: 'Everybody', content: <Everybody /> },
          { id: 'invitations', title: 'Invitations', content: <Invitations /> },
          { id: 'account', title: 'Your account', content: <Account session={session} /> },
        ]}
      />
    </Screen>
  )
}
