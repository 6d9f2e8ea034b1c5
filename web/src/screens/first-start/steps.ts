/** The five steps from nothing to a running ticket, and which of them are done. Pure: it only reads what the server said. */
import type { Fleet, Session } from '@/api/contract'
import type { Project, Readiness } from '@/api/types'

export type StepId = 'admin' | 'model' | 'project' | 'host' | 'ticket'
export interface Facts { session: Session; readiness: Readiness | undefined; projects: readonly Project[] | undefined; fleet: Fleet | undefined }
export interface Step { id: StepId; title: string; about: string; done: boolean | null; said: string | null }

/** `done` is null while the server has not answered yet. */
export function steps({ session, readiness, projects, fleet }: Facts): Step[] {
  const hosts = fleet?.coordinators.filter((host) => !host.lost)
  const project = projects?.[0]
  return [
    { id: 'admin', title: 'You', about: 'An account of your own, so that everybody sees who did what.', done: session.person !== null, said: session.person ? `Signed in as ${session.person.email}.` : null },
    { id: 'model', title: 'Model', about: 'The language model that does the work.', done: readiness ? readiness.ready : null, said: readiness?.ready ? 'A model is set.' : null },
    { id: 'project', title: 'Forge and project', about: 'The repository to work on, and a token that may push to it.', done: projects ? projects.length > 0 : null, said: project ? `The project ${project.name} is there.` : null },
    { id: 'host', title: 'Host', about: 'A machine with Docker or Podman on which the agents run.', done: hosts ? hosts.length > 0 : null, said: hosts?.length ? `${hosts.map((host) => host.name ?? host.worker_id).join(', ')} ${hosts.length === 1 ? 'is' : 'are'} connected.` : null },
    { id: 'ticket', title: 'First ticket', about: 'A small one, to see all of it at work.', done: false, said: null },
  ]
}

/** The step to show: the first that is not done. */
export function nextStep(list: readonly Step[]): StepId {
  return list.find((step) => step.done === false)?.id ?? 'ticket'
}

/** What would keep a ticket waiting now. */
export function stillMissing(list: readonly Step[]): string[] {
  const missing: Partial<Record<StepId, string>> = { model: 'a model', host: 'a host' }
  return list.filter((step) => step.done === false).flatMap((step) => missing[step.id] ?? [])
}

export const demo = {
  title: 'Say in the README how to run the tests',
  description: 'Look up how the tests of this repository are run, and add a short section about it to the README. If there are no tests, say so in one sentence. Change nothing else.',
}
