import { api } from '@/api/client'
import type { MadeLink, Person } from '@/api/contract'
import { keys } from '@/api/keys'
import { OnceBox } from '@/parts/OnceBox'
import { projectsQuery } from '@/shell/projects'
import { useSession } from '@/shell/session'
import { Badge, Button, Card, Confirm, Dialog, EmptyState, ErrorNote, IconButton, Menu, Skeleton, Table, TimeAgo, toast } from '@/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Access } from './Access'
import { Invite } from './Invite'
import { access } from './roles'
import { Sessions } from './Sessions'

type Open = { what: 'access' | 'sessions' | 'reset' | 'disable' | 'remove'; person: Person } | { what: 'invite' } | null

export function Everybody() {
  const people = useQuery({ queryKey: keys.people, queryFn: ({ signal }) => api.get<Person[]>('/api/people', { signal }) })
  const projects = useQuery(projectsQuery).data ?? []
  const me = useSession().person?.id
  const [open, setOpen] = useState<Open>(null)
  const close = () => setOpen(null)
  const nameOf = (id: string) => projects.find((one) => one.id === id)?.name ?? 'a project'
  const invite = <Button kind="primary" icon="plus" onClick={() => setOpen({ what: 'invite' })}>Invite</Button>
  return (
    <Card title="Everybody" actions={invite}>
      {people.error && <ErrorNote error={people.error} onRetry={() => void people.refetch()} />}
      {people.isPending && <Skeleton label="Loading the people" lines={5} />}
      {people.data?.length === 0 && <EmptyState icon="people" title="Nobody has an account yet">You use the server’s key, or its own machine. Invite yourself and others, so that everybody signs in as themselves.</EmptyState>}
      {people.data && people.data.length > 0 && (
        <Table
          caption="Everybody" rows={people.data} id={(person) => person.id}
          columns={[
            { title: 'Person', className: 'min-w-48', cell: (person) => <Who person={person} me={person.id === me} /> },
            { title: 'May', className: 'min-w-36', cell: (person) => <span className={person.disabled_at ? 'text-muted line-through' : ''}>{access(person, nameOf)}</span> },
            { title: 'Signs in with', className: 'whitespace-nowrap', cell: (person) => [person.has_password && 'password', person.oidc && 'provider'].filter(Boolean).join(', ') || <span className="text-muted">nothing yet</span> },
            { title: 'Last seen', cell: (person) => person.last_seen_at ? <TimeAgo at={person.last_seen_at} className="whitespace-nowrap" /> : <span className="text-muted">never</span> },
            { title: 'Change', cell: (person) => <Actions person={person} onOpen={(what) => setOpen({ what, person })} /> },
          ]}
        />
      )}
      <Dialog open={open?.what === 'invite'} onClose={close} title="Invite">{open?.what === 'invite' && <Invite onClose={close} />}</Dialog>
      {open?.what === 'access' && <Access person={open.person} onClose={close} />}
      {open?.what === 'reset' && <Reset person={open.person} onClose={close} />}
      {(open?.what === 'disable' || open?.what === 'remove') && <Leave what={open.what} person={open.person} onClose={close} />}
      <Dialog open={open?.what === 'sessions'} onClose={close} title={open?.what === 'sessions' ? `Sessions of ${open.person.name}` : ''} wide>
        {open?.what === 'sessions' && <Sessions personId={open.person.id} />}
      </Dialog>
    </Card>
  )
}

function Who({ person, me }: { person: Person; me: boolean }) {
  return (
    <span className="flex flex-col">
      <span className="flex flex-wrap items-center gap-1.5 font-medium">{person.name}{me && <Badge tone="run">You</Badge>}{person.disabled_at && <Badge tone="bad">Disabled</Badge>}</span>
      <span className="text-xs wrap-anywhere text-muted">{person.email}</span>
    </span>
  )
}

function Actions({ person, onOpen }: { person: Person; onOpen: (what: 'access' | 'sessions' | 'reset' | 'disable' | 'remove') => void }) {
  return (
    <span className="flex gap-1">
      <Button size="small" onClick={() => onOpen('access')}>Roles<span className="sr-only"> of {person.name}</span></Button>
      <Menu
        label={person.name} trigger={<IconButton icon="more" size="small" label={`More for ${person.name}`} />}
        groups={[
          [{ label: 'Sessions', icon: 'system', onSelect: () => onOpen('sessions') }, { label: 'Link for a new password', icon: 'link', onSelect: () => onOpen('reset') }],
          [{ label: person.disabled_at ? 'Enable' : 'Disable', icon: person.disabled_at ? 'check' : 'cancelled', onSelect: () => onOpen('disable') }, { label: 'Remove', icon: 'close', danger: true, onSelect: () => onOpen('remove') }],
        ]}
      />
    </span>
  )
}

function Reset({ person, onClose }: { person: Person; onClose: () => void }) {
  const make = useMutation({ mutationFn: () => api.post<MadeLink>(`/api/people/${person.id}/reset`) })
  if (make.data) {
    return (
      <Dialog open onClose={onClose} title={`A new password for ${person.name}`} actions={<Button kind="primary" onClick={onClose}>I have copied it</Button>}>
        <OnceBox label="Link" text={make.data.link}><p className="text-sm text-muted">Send it to {person.name} in a way that only they read. It works once.</p></OnceBox>
      </Dialog>
    )
  }
  return (
    <Confirm open onClose={onClose} title={`A new password for ${person.name}?`} action="Make the link" sending={make.isPending} error={make.error} onConfirm={() => make.mutate()}>
      <p>You get a link with which {person.name} chooses a new password. The old one works until then.</p>
    </Confirm>
  )
}

function Leave({ what, person, onClose }: { what: 'disable' | 'remove'; person: Person; onClose: () => void }) {
  const queries = useQueryClient()
  const enable = what === 'disable' && person.disabled_at !== null
  const change = useMutation({
    mutationFn: () => (what === 'remove' ? api.delete(`/api/people/${person.id}`) : api.patch(`/api/people/${person.id}`, { disabled: !enable })),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: keys.people })
      onClose()
      toast.done(`${person.name} ${what === 'remove' ? 'is removed' : enable ? 'may sign in again' : 'is disabled'}.`)
    },
  })
  const verb = what === 'remove' ? 'Remove' : enable ? 'Enable' : 'Disable'
  return (
    <Confirm open onClose={onClose} title={`${verb} ${person.name}?`} action={`${verb} ${person.name}`} sending={change.isPending} error={change.error} onConfirm={() => change.mutate()}>
      {what === 'remove' && <p>The account, its sessions and its tokens are deleted for good. What {person.name} did stays in the audit.</p>}
      {what === 'disable' && !enable && <p>{person.name} is signed out everywhere, can’t sign in, and tokens of this account stop working. You can enable it again.</p>}
      {enable && <p>{person.name} can sign in again, with the same roles as before.</p>}
    </Confirm>
  )
}
