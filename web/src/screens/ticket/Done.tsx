/** What counts as done for a ticket: what it and its project ask for, and what the Director last said about each line. */
import { api } from '@/api/client'
import { keys } from '@/api/keys'
import type { TicketPage } from '@/api/contract'
import type { ProofTerms } from '@/api/types'
import { judged, type Judged } from '@/parts/acceptance'
import { Proof } from '@/parts/Proof'
import { Badge, Button, Card, Dialog, ErrorNote, IconButton, Skeleton } from '@/ui'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'

export function Done({ projectId, ticketId, acceptance, may }: { projectId: string; ticketId: string; acceptance: TicketPage['acceptance']; may: boolean }) {
  const [editing, setEditing] = useState(false)
  const paths = [`/api/projects/${projectId}/proof`, `/api/projects/${projectId}/tickets/${ticketId}/proof`] as const
  const ofProject = useQuery({ queryKey: keys.proof(paths[0]), queryFn: ({ signal }) => api.get<ProofTerms>(paths[0], { signal }) })
  const ofTicket = useQuery({ queryKey: keys.proof(paths[1]), queryFn: ({ signal }) => api.get<ProofTerms>(paths[1], { signal }) })
  const failed = ofProject.error ?? ofTicket.error
  const both = ofProject.data && ofTicket.data ? [ofProject.data, ofTicket.data] : null
  const all = (name: keyof ProofTerms) => [...new Set((both ?? []).flatMap((terms) => terms[name] ?? []))]
  const [commands, lines] = [all('verification'), both ? judged(all('acceptance'), acceptance?.lines ?? []) : []]
  return (
    <Card title="What counts as done" actions={may && <IconButton icon="edit" label="Edit what counts as done" size="small" onClick={() => setEditing(true)} />}>
      {!both && (failed ? <ErrorNote error={failed} onRetry={() => { void ofProject.refetch(); void ofTicket.refetch() }} /> : <Skeleton label="Loading what counts as done" lines={2} />)}
      {both && commands.length === 0 && (
        <p className="text-sm text-muted">
          No command verifies it, unless the repository’s .terarchitect.toml names one. <Link to="/projects/$projectId" params={{ projectId }} search={{ show: 'verification' }} className="underline">Name one for the project</Link>.
        </p>
      )}
      {commands.length > 0 && <ul aria-label="Commands that must succeed" className="flex flex-col gap-1">{commands.map((command) => <li key={command}><code className="block rounded bg-raised px-2 py-1 font-mono text-xs break-words whitespace-pre-wrap">{command}</code></li>)}</ul>}
      {lines.length > 0 && <ul aria-label="What must hold" className="mt-2 flex list-disc flex-col gap-1 pl-5 text-sm">{lines.map((line) => <Line key={line.line} {...line} />)}</ul>}
      {editing && (
        <Dialog open onClose={() => setEditing(false)} title="What counts as done" wide actions={<Button onClick={() => setEditing(false)}>Close</Button>}>
          <Proof path={paths[1]} may={may} about="This ticket has to show this beside what its project asks for." />
        </Dialog>
      )}
    </Card>
  )
}

function Line({ line, said, place }: Judged) {
  const looks = { holds: { tone: 'good', icon: 'done', word: 'Holds' }, fails: { tone: 'bad', icon: 'failed', word: 'Does not hold' }, open: { tone: 'quiet', icon: 'info', word: 'Not judged' } } as const
  const look = said && looks[said]
  return (
    <li>
      {line}
      {look && <span className="mt-0.5 flex flex-wrap items-center gap-2 text-xs text-muted"><Badge tone={look.tone} icon={look.icon}>{look.word}</Badge>{place !== '' && <span className="min-w-0 break-words">{place}</span>}</span>}
    </li>
  )
}
