/** The slots of a host as boxes: what each does, free, or not used because of a limit. */
import type { FleetCoordinator, FleetJob } from '@/api/contract'
import { useNow } from '@/lib/clock'
import { cx } from '@/lib/cx'
import { duration } from '@/lib/time'
import { StateBadge, TimeAgo } from '@/ui'
import { Link } from '@tanstack/react-router'
import { leaseSentence, usableSlots } from './reasons'

const box = 'flex min-h-16 flex-col justify-center gap-1 rounded-md border px-3 py-2 text-sm'

export function Slots({ host, loadedAt, seesAll }: { host: FleetCoordinator; loadedAt: number; seesAll: boolean }) {
  const usable = usableSlots(host) ?? host.held
  // Its own count comes with its heartbeats; who sees all projects has the truth in the list.
  const unseen = seesAll ? 0 : Math.max(0, host.held - host.jobs.length)
  const taken = host.jobs.length + unseen
  const free = host.lost || host.directive === 'drain' ? 0 : Math.max(0, usable - taken)
  const unused = Math.max(0, (host.slots ?? usable) - taken - free)
  const unusedWhy = host.lost ? 'Silent' : host.directive === 'drain' ? 'Draining' : 'Over the limit'
  return (
    <ul aria-label={`Slots of ${host.name ?? host.worker_id}`} className="grid grid-cols-[repeat(auto-fill,minmax(min(100%,14rem),1fr))] gap-2">
      {host.jobs.map((job) => <Held key={job.job_id} job={job} loadedAt={loadedAt} />)}
      {Array.from({ length: unseen }, (_, index) => <li key={`unseen${index}`} className={cx(box, 'bg-sunken text-muted')}>Taken by a project that you don’t see</li>)}
      {Array.from({ length: free }, (_, index) => <li key={`free${index}`} className={cx(box, 'items-center border-dashed border-line-strong text-muted')}>Free</li>)}
      {Array.from({ length: unused }, (_, index) => <li key={`unused${index}`} className={cx(box, 'items-center border-dotted bg-sunken text-muted')}>{unusedWhy}</li>)}
    </ul>
  )
}

function Held({ job, loadedAt }: { job: FleetJob; loadedAt: number }) {
  const now = useNow()
  const left = job.lease_remaining_ms === null ? null : job.lease_remaining_ms - (now - loadedAt)
  return (
    <li className={cx(box, 'border-line-strong/50 bg-paper')}>
      <Link to="/projects/$projectId/tickets/$ticketId" params={{ projectId: job.project_id, ticketId: job.ticket_id }} className="line-clamp-2 font-medium text-ink no-underline hover:underline">{job.title}</Link>
      <span className="flex flex-wrap items-center gap-x-2 gap-y-1 text-xs text-muted">
        <StateBadge state={job.state} />
        {job.claimed_at && <span>taken <TimeAgo at={job.claimed_at} /></span>}
        {left !== null && <span className={cx('tabular', left <= 0 && 'font-semibold text-silent')} title={leaseSentence(job.lease_remaining_ms, loadedAt, now)}>{left > 0 ? `lease ${duration(left)}` : 'lease run out'}</span>}
      </span>
    </li>
  )
}
