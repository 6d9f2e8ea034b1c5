/** How another host joins: a key of its own, the command to run there, and the host itself as soon as it is heard. */
import { api } from '@/api/client'
import type { Fleet, Token } from '@/api/contract'
import { keys } from '@/api/keys'
import { errorOfField, fieldAtFault } from '@/lib/field-error'
import { plural } from '@/lib/time'
import { Badge, Button, CopyBox, ErrorNote, Field, Icon, Input } from '@/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { Findings } from './Findings'
import { joinCommand, isLocalAddress } from './join-command'

const FIELDS = ['name', 'slots'] as const

export function JoinHost({ onJoined }: { onJoined?: () => void }) {
  const queries = useQueryClient()
  const [name, setName] = useState('')
  const [slots, setSlots] = useState('2')
  const fleet = useQuery({ queryKey: keys.fleet, queryFn: ({ signal }) => api.get<Fleet>('/api/fleet', { signal }) })
  const [before, setBefore] = useState<ReadonlySet<string>>(new Set())
  const make = useMutation({
    mutationFn: () => api.post<Token & { token: string }>('/api/tokens', { name: name.trim() || 'Another host', scope: 'worker' }),
    onSuccess: () => {
      setBefore(new Set(fleet.data?.coordinators.filter((host) => !host.lost).map((host) => host.worker_id)))
      void queries.invalidateQueries({ queryKey: keys.tokens })
    },
  })
  const submit = (event: FormEvent) => { event.preventDefault(); if (!make.isPending) make.mutate() }
  if (!make.data) {
    return (
      <form onSubmit={submit} className="flex flex-col gap-3">
        <p className="text-sm">A host is any machine with Docker or Podman that reaches this server. It needs no open port. It gets a key of its own, which you can revoke under Settings.</p>
        <div className="grid gap-3 sm:grid-cols-[1fr_10rem]">
          <Field label="Name of its key" error={errorOfField(make.error, FIELDS, 'name')}>
            {(control) => <Input {...control} value={name} placeholder="Host build-3" onChange={(event) => setName(event.target.value)} />}
          </Field>
          <Field label="Jobs at once">{(control) => <Input {...control} type="number" min={1} max={100} required value={slots} onChange={(event) => setSlots(event.target.value)} />}</Field>
        </div>
        {make.error && fieldAtFault(make.error, FIELDS) === null && <ErrorNote error={make.error} />}
        <div><Button type="submit" kind="primary" icon="plus" sending={make.isPending}>Make the command</Button></div>
      </form>
    )
  }
  const command = joinCommand({ origin: window.location.origin, token: make.data.token, slots: Number(slots) || 1 })
  const joined = fleet.data?.coordinators.filter((host) => !host.lost && !before.has(host.worker_id)) ?? []
  return (
    <div className="flex flex-col gap-4 text-sm">
      <p className="flex gap-2 rounded-md bg-wait-soft p-3 text-wait"><Icon name="warning" className="mt-0.5" /><span>The key in these commands is shown once. Copy them before you close this.</span></p>
      {isLocalAddress(window.location.hostname) && <p className="text-muted">You opened this page as {window.location.hostname}. On another machine, replace that in the command with an address under which it reaches this server.</p>}
      <div><h3 className="mb-1 text-sm">1. Check the host</h3><CopyBox label="Command that checks the host" text={command.doctor} /></div>
      <div><h3 className="mb-1 text-sm">2. Start it</h3><CopyBox label="Command that starts the host" text={command.run} /></div>
      <div>
        <h3 className="mb-1 text-sm">3. It appears here</h3>
        <div role="status">
          {joined.length === 0 && <p className="rounded-md border border-dashed border-line-strong p-3 text-muted">Not heard yet. This changes by itself as soon as the host says something.</p>}
          {joined.map((host) => (
            <div key={host.worker_id} className="flex flex-col gap-2 rounded-md border bg-surface p-3">
              <p className="flex flex-wrap items-center gap-2"><Badge tone="good" icon="done">Connected</Badge><strong>{host.name ?? host.worker_id}</strong>{host.slots != null && <span className="text-muted">{plural(host.slots, 'job')} at once</span>}</p>
              <Findings findings={host.findings} />
            </div>
          ))}
        </div>
      </div>
      {joined.length > 0 && onJoined && <div><Button kind="primary" onClick={onJoined}>Done</Button></div>}
    </div>
  )
}
