import { api } from '@/api/client'
import type { Fleet as FleetOf } from '@/api/contract'
import { keys } from '@/api/keys'
import { JoinHost } from '@/parts/JoinHost'
import { isAdmin, useSession } from '@/shell/session'
import { Button, Card, Dialog, EmptyState, ErrorNote, Icon, Screen, Skeleton, TimeAgo, toast } from '@/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Host } from './Host'
import { Queue } from './Queue'
import { StopEverything } from './StopEverything'

export default function Fleet() {
  const fleet = useQuery({ queryKey: keys.fleet, queryFn: ({ signal }) => api.get<FleetOf>('/api/fleet', { signal }) })
  const admin = isAdmin(useSession())
  const [stopping, setStopping] = useState(false)
  const [adding, setAdding] = useState(false)
  const data = fleet.data
  const why = admin ? undefined : 'Only admins may do this.'
  return (
    <Screen
      title="Fleet"
      actions={data && (
        <>
          <Button icon="plus" disabled={!admin} title={why} onClick={() => setAdding(true)}>Add a host</Button>
          {!data.stopped && <Button kind="danger" icon="stopping" disabled={!admin} title={why} onClick={() => setStopping(true)}>Stop everything</Button>}
        </>
      )}
    >
      {fleet.error && <ErrorNote error={fleet.error} what={data ? 'What you see may be old.' : undefined} onRetry={() => void fleet.refetch()} />}
      {fleet.isPending && <Skeleton label="Loading the fleet" lines={8} />}
      {data?.stopped && <Stopped fleet={data} admin={admin} />}
      {data && data.coordinators.length === 0 && (
        <EmptyState icon="fleet" title="No host has joined yet" action={admin && <Button kind="primary" icon="plus" onClick={() => setAdding(true)}>Add a host</Button>}>
          A host runs the agents, one container for each ticket. Without one, everything waits.{!admin && ' An admin can add one.'}
        </EmptyState>
      )}
      {data && data.coordinators.length > 0 && (
        <section aria-label="Hosts" className="grid items-start gap-4 xl:grid-cols-2">
          {data.coordinators.map((host) => <Host key={host.worker_id} host={host} loadedAt={fleet.dataUpdatedAt} admin={admin} />)}
        </section>
      )}
      {data && (data.queue.length > 0 || data.coordinators.length > 0) && <Card title="Queue by project"><Queue fleet={data} /></Card>}
      {data && <StopEverything open={stopping} fleet={data} onClose={() => setStopping(false)} />}
      <Dialog open={adding} onClose={() => setAdding(false)} title="Add a host" wide>
        {adding && <JoinHost onJoined={() => setAdding(false)} />}
      </Dialog>
    </Screen>
  )
}

function Stopped({ fleet, admin }: { fleet: FleetOf; admin: boolean }) {
  const queries = useQueryClient()
  const resume = useMutation({
    mutationFn: () => api.post('/api/fleet/resume'),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: keys.fleet })
      void queries.invalidateQueries({ queryKey: keys.summary })
      toast.done('Hosts take jobs again.')
    },
    onError: (error) => toast.failed('Everything is still stopped.', error),
  })
  return (
    <div role="status" className="flex flex-wrap items-center gap-3 rounded-lg border border-bad/40 bg-bad-soft p-4 text-sm">
      <Icon name="stopping" className="size-5 text-bad" />
      <p className="min-w-0 grow basis-64"><strong>Everything is stopped.</strong> No host takes a job{fleet.stopped_by && <>; stopped by {fleet.stopped_by}</>}{fleet.stopped_at && <>, <TimeAgo at={fleet.stopped_at} /></>}. What waits keeps its place.</p>
      <Button kind="primary" icon="play" disabled={!admin} title={admin ? undefined : 'Only admins may do this.'} sending={resume.isPending} onClick={() => resume.mutate()}>Resume</Button>
    </div>
  )
}
