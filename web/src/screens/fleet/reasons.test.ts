import type { Fleet, FleetCoordinator, QueueOfProject } from '@/api/contract'
import { describe, expect, it } from 'vitest'
import { leaseSentence, stopConsequences, usableSlots, whyNothingMoves } from './reasons'

const host = (change: Partial<FleetCoordinator> = {}): FleetCoordinator => ({
  worker_id: 'a', slots: 2, held: 2, directive: 'run', first_seen_at: '', last_heartbeat_at: '', last_heartbeat_sec: 0, name: null, version: null, seen_ms_ago: 0, lost: false, limit: null,
  disk_free_bytes: null, disk_total_bytes: null, engine: null, findings: [], adopted: null, jobs: [], ...change,
})
const fleet = (change: Partial<Fleet> = {}): Fleet => ({ coordinators: [host()], queue: [], stopped: false, stopped_at: null, stopped_by: null, ...change })
const row = (change: Partial<QueueOfProject> = {}): QueueOfProject => ({ project_id: 'p', project_name: 'P', running: 0, due: 1, delayed: 0, oldest_due_ms: 1, limit: null, paused: false, ...change })

describe('why nothing moves', () => {
  it('names the one thing that holds it', () => {
    expect(whyNothingMoves(row({ due: 0 }), fleet())).toBeNull()
    expect(whyNothingMoves(row({ paused: true }), fleet({ stopped: true }))?.fix).toBe('resume')
    expect(whyNothingMoves(row({ paused: true }), fleet())?.fix).toBe('unpause')
    expect(whyNothingMoves(row({ due: 0, delayed: 1 }), fleet())?.fix).toBeNull()
    expect(whyNothingMoves(row({ limit: 2, running: 2 }), fleet())?.sentence).toBe('Its limit is 2, and 2 run.')
    expect(whyNothingMoves(row(), fleet({ coordinators: [host({ lost: true })] }))?.sentence).toBe('No host is connected.')
    expect(whyNothingMoves(row(), fleet({ coordinators: [host({ directive: 'drain' })] }))?.sentence).toBe('Every host is draining.')
    expect(whyNothingMoves(row(), fleet())?.sentence).toBe('All 2 slots of 1 host are busy.')
  })
  it('says nothing while a slot is free', () => {
    expect(whyNothingMoves(row(), fleet({ coordinators: [host({ held: 1 })] }))).toBeNull()
    expect(whyNothingMoves(row(), fleet({ coordinators: [host({ slots: null })] }))).toBeNull()
  })
})

describe('the fleet', () => {
  it('counts the slots that may be used', () => {
    expect(usableSlots({ slots: 4, limit: 2 })).toBe(2)
    expect(usableSlots({ slots: 4, limit: null })).toBe(4)
    expect(usableSlots({ slots: null, limit: null })).toBeNull()
  })
  it('says what a stop does, with numbers', () => {
    const said = stopConsequences(fleet({ coordinators: [host({ jobs: [{} as never] })], queue: [row({ due: 2, delayed: 1 })] }))
    expect(said[0]).toMatch(/^1 running job is asked/)
    expect(said[1]).toMatch(/^3 waiting jobs keep/)
  })
  it('counts a lease down from when it was read', () => {
    expect(leaseSentence(42_000, 1_000, 11_000)).toContain('32 s left')
    expect(leaseSentence(1_000, 0, 5_000)).toContain('run out')
  })
})
