import { api } from '@/api/client'
import type { FleetCoordinator } from '@/api/contract'
import { keys } from '@/api/keys'
import { useNow } from '@/lib/clock'
import { bytes, duration, plural } from '@/lib/time'
import { Findings } from '@/parts/Findings'
import { Badge, Button, Card, Confirm, IconButton, Kv, Menu, toast } from '@/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { Limit } from './Limit'
import { Slots } from './Slots'

export function Host({ host, loadedAt, admin }: { host: FleetCoordinator; loadedAt: number; admin: boolean }) {
  const name = host.name ?? host.worker_id
  return (
    <Card title={<span className="flex flex-wrap items-center gap-2">{name}<Condition host={host} /></span>} actions={<Actions host={host} name={name} admin={admin} />}>
      <div className="flex flex-col gap-4">
        <Slots host={host} loadedAt={loadedAt} seesAll={admin} />
        <Facts host={host} loadedAt={loadedAt} />
        {host.findings.length > 0 && <Findings findings={host.findings} />}
      </div>
    </Card>
  )
}

function Condition({ host }: { host: FleetCoordinator }) {
  if (host.lost) return <Badge tone="silent" icon="silent">Silent</Badge>
  if (host.directive === 'drain') return <Badge tone="wait" icon="waiting">Draining</Badge>
  return <Badge tone="good" icon="done">Takes jobs</Badge>
}

function Facts({ host, loadedAt }: { host: FleetCoordinator; loadedAt: number }) {
  const now = useNow()
  const heard = host.seen_ms_ago + Math.max(0, now - loadedAt)
  const items: [string, ReactNode][] = [['Last heard', heard < 5_000 ? 'just now' : `${duration(heard)} ago`]]
  if (host.name && host.name !== host.worker_id) items.push(['Id', <span className="font-mono text-xs">{host.worker_id}</span>])
  if (host.version) items.push(['Version', host.version])
  if (host.engine) items.push(['Containers', host.engine])
  if (host.disk_free_bytes != null) items.push(['Disk', <Disk free={host.disk_free_bytes} total={host.disk_total_bytes} />])
  if (host.adopted) items.push(['After its last start', `${plural(host.adopted, 'running job was', 'running jobs were')} taken over, nothing was lost.`])
  return <Kv items={items} />
}

function Disk({ free, total }: { free: number; total: number | null }) {
  if (total == null || total <= 0) return <>{bytes(free)} free</>
  const used = Math.min(1, Math.max(0, 1 - free / total))
  return (
    <span className="flex flex-wrap items-center gap-2">
      <span aria-hidden="true" className="h-2 w-24 overflow-hidden rounded-full bg-sunken"><span className={`block h-full ${used > 0.9 ? 'bg-wait' : 'bg-line-strong'}`} style={{ width: `${Math.round(used * 100)}%` }} /></span>
      {bytes(free)} free of {bytes(total)}
    </span>
  )
}

function Actions({ host, name, admin }: { host: FleetCoordinator; name: string; admin: boolean }) {
  const queries = useQueryClient()
  const [limiting, setLimiting] = useState(false)
  const [forgetting, setForgetting] = useState(false)
  const path = `/api/coordinators/${encodeURIComponent(host.worker_id)}`
  const direct = useMutation({
    mutationFn: (directive: 'run' | 'drain') => api.put(path, { directive }),
    onSuccess: async (_, directive) => {
      await queries.invalidateQueries({ queryKey: keys.fleet })
      toast.done(directive === 'drain' ? `${name} finishes what it holds and takes nothing new.` : `${name} takes jobs again.`)
    },
    onError: (error) => toast.failed(`${name} goes on as before.`, error),
  })
  const forget = useMutation({
    mutationFn: () => api.delete(path),
    onSuccess: async () => { setForgetting(false); await queries.invalidateQueries({ queryKey: keys.fleet }) },
  })
  if (!admin) return null
  return (
    <>
      {host.directive === 'run'
        ? <Button size="small" icon="waiting" sending={direct.isPending} onClick={() => direct.mutate('drain')}>Drain<span className="sr-only"> {name}</span></Button>
        : <Button size="small" icon="play" sending={direct.isPending} onClick={() => direct.mutate('run')}>Take jobs again<span className="sr-only"> on {name}</span></Button>}
      <Menu
        label={name}
        trigger={<IconButton icon="more" size="small" label={`More for ${name}`} />}
        groups={[[{ label: 'Limit its slots', icon: 'edit', onSelect: () => setLimiting(true) }], [{ label: 'Forget this host', icon: 'close', danger: true, onSelect: () => setForgetting(true) }]]}
      />
      <Limit open={limiting} host={host} name={name} path={path} onClose={() => setLimiting(false)} />
      <Confirm open={forgetting} onClose={() => setForgetting(false)} title={`Forget ${name}?`} action="Forget this host" sending={forget.isPending} error={forget.error} onConfirm={() => forget.mutate()}>
        <p>{host.lost ? 'It is taken off this list.' : 'It is taken off this list, and comes back as soon as it is heard again. To keep it away, stop it there and revoke its key under Settings.'} Jobs that it still holds go back to the queue when their leases run out.</p>
      </Confirm>
    </>
  )
}
