/** Sentences about the fleet, made of what the server said and of nothing else. Pure. */
import type { Fleet, FleetCoordinator, QueueOfProject } from '@/api/contract'
import { duration, plural } from '@/lib/time'

/** How many jobs a host may hold now. */
export function usableSlots(host: Pick<FleetCoordinator, 'slots' | 'limit'>): number | null {
  if (host.slots == null) return host.limit ?? null
  return host.limit == null ? host.slots : Math.min(host.slots, host.limit)
}

export type Reason = { sentence: string; fix: 'resume' | 'unpause' | 'limit' | 'host' | 'run' | null }

/** Why nothing of a project's queue moves; null while it moves, or while nothing waits. */
export function whyNothingMoves(row: QueueOfProject, fleet: Fleet): Reason | null {
  if (row.due === 0 && row.delayed === 0) return null
  if (fleet.stopped) return { sentence: 'Everything is stopped.', fix: 'resume' }
  if (row.paused) return { sentence: 'The project is paused.', fix: 'unpause' }
  if (row.due === 0) return { sentence: 'The next attempts wait for their time.', fix: null }
  if (row.limit !== null && row.limit !== undefined && row.running >= row.limit) return { sentence: `Its limit is ${row.limit}, and ${row.running} run.`, fix: 'limit' }
  const hosts = fleet.coordinators.filter((host) => !host.lost)
  if (hosts.length === 0) return { sentence: 'No host is connected.', fix: 'host' }
  const taking = hosts.filter((host) => host.directive === 'run')
  if (taking.length === 0) return { sentence: 'Every host is draining.', fix: 'run' }
  const free = taking.map((host) => { const slots = usableSlots(host); return slots === null ? null : Math.max(0, slots - host.held) })
  if (free.every((count) => count === 0)) return { sentence: `All ${plural(taking.reduce((sum, host) => sum + (usableSlots(host) ?? 0), 0), 'slot')} of ${plural(taking.length, 'host')} are busy.`, fix: 'host' }
  return null
}

/** What "stop everything" does, exactly. */
export function stopConsequences(fleet: Fleet): string[] {
  const running = fleet.coordinators.reduce((sum, host) => sum + host.jobs.length, 0)
  const waiting = fleet.queue.reduce((sum, row) => sum + row.due + row.delayed, 0)
  return [
    running === 0 ? 'No job runs that you can see, so none is asked to stop.' : `${plural(running, 'running job is', 'running jobs are')} asked to stop now. ${running === 1 ? 'Its ticket becomes' : 'Their tickets become'} Cancelled; what was pushed stays, what was not is lost.`,
    waiting === 0 ? 'Nothing waits in the queue. What is started later waits.' : `${plural(waiting, 'waiting job keeps its place', 'waiting jobs keep their places')} in the queue, and so does what is started later.`,
    'No host begins anything until somebody presses Resume. Jobs that were stopped are not started again by that; retry them one by one.',
  ]
}

/** The lease of a job: how long its host may be silent before somebody else takes it. */
export function leaseSentence(remainingMs: number | null, loadedAt: number, now: number): string {
  if (remainingMs === null || remainingMs === undefined) return 'No lease was reported.'
  const left = remainingMs - (now - loadedAt)
  return left > 0 ? `Its host renewed it; ${duration(left)} left without a sign of life.` : 'Its lease has run out, unless it was renewed meanwhile.'
}
