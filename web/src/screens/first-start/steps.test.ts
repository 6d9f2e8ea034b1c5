import type { Fleet, Session } from '@/api/contract'
import type { Project } from '@/api/types'
import { describe, expect, it } from 'vitest'
import { nextStep, steps, stillMissing } from './steps'

const local = { person: null } as Session
const ada = { person: { email: 'ada@example.com' } } as Session
const host = (lost: boolean) => ({ coordinators: [{ worker_id: 'h', lost }] }) as Fleet

describe('the first start', () => {
  it('goes on with the first step that is not done', () => {
    expect(nextStep(steps({ session: local, readiness: undefined, projects: undefined, fleet: undefined }))).toBe('admin')
    expect(nextStep(steps({ session: ada, readiness: { ready: false, missing_required: [], warnings: [] }, projects: [], fleet: host(false) }))).toBe('model')
    expect(nextStep(steps({ session: ada, readiness: { ready: true, missing_required: [], warnings: [] }, projects: [{ name: 'P' } as Project], fleet: host(false) }))).toBe('ticket')
  })
  it('does not count a silent host, and says what a ticket would wait for', () => {
    const list = steps({ session: ada, readiness: { ready: false, missing_required: [], warnings: [] }, projects: [], fleet: host(true) })
    expect(stillMissing(list)).toEqual(['a model', 'a host'])
  })
  it('says nothing of what the server has not said', () => {
    const list = steps({ session: ada, readiness: undefined, projects: undefined, fleet: undefined })
    expect(list.slice(1, 4).map((step) => step.done)).toEqual([null, null, null])
    expect(stillMissing(list)).toEqual([])
  })
})
