/** Days as filters, and entries as files. Pure. */
import type { AuditEntry, AuditFilters, Person } from '@/api/contract'

/** The filters as the API takes them: a day is its first moment here, or its last one. Days that are none are left out. */
export function queryOf(filters: AuditFilters): Record<string, string | undefined> {
  const moment = (day: string | undefined, plus: number) => {
    const at = day && /^\d{4}-\d{2}-\d{2}$/.test(day) ? new Date(`${day}T00:00:00`) : null
    if (!at || Number.isNaN(at.getTime())) return undefined
    at.setDate(at.getDate() + plus)
    return at.toISOString()
  }
  const { from, until, ...rest } = filters
  return { ...rest, from: moment(from, 0), until: moment(until, 1) }
}

export function isFiltered(filters: AuditFilters): boolean {
  return Object.values(filters).some(Boolean)
}

/** The address of the table as a file. */
export function csvAddress(filters: AuditFilters): string {
  const pairs = Object.entries({ ...queryOf(filters), format: 'csv' }).flatMap(([name, value]) => (value ? [[name, value]] : []))
  return `/api/audit?${new URLSearchParams(pairs)}`
}

/** Kinds that were seen, for the list of the filter, in the order of the alphabet. */
export function kindsOf(entries: readonly AuditEntry[], chosen: string | undefined): string[] {
  return [...new Set([...KNOWN, ...entries.map((entry) => entry.kind), ...(chosen ? [chosen] : [])])].sort()
}

const KNOWN = [
  'fleet.resumed', 'fleet.stopped', 'invitation.created', 'job.enqueued', 'person.changed', 'project.changed', 'project.created', 'project.deleted',
  'session.started', 'settings.changed', 'sign_in.failed', 'ticket.created', 'ticket.deleted', 'ticket.moved', 'token.created', 'token.revoked',
]

/** `sign_in.failed` as words. */
export function kindName(kind: string): string {
  const words = kind.replaceAll('_', ' ').replace('.', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/** What the API calls an actor: its kind, with its id where there is one. */
export function actorOf(actor: AuditEntry['actor']): string {
  return actor.id ? `${actor.kind}:${actor.id}` : actor.kind
}

/** Whom the list can be narrowed to: kinds, people, and whoever else was seen. */
export function actorsOf(entries: readonly AuditEntry[], people: readonly Person[], chosen: string | undefined): [string, string][] {
  const known = new Map<string, string>([['person', 'people'], ['token', 'tokens'], ['api-key', 'the server’s key'], ['local', 'the server’s machine'], ['nobody', 'nobody signed in']])
  for (const person of people) known.set(`person:${person.id}`, person.name)
  for (const { actor } of entries) if (actor.id && !known.has(actorOf(actor))) known.set(actorOf(actor), actor.name)
  if (chosen && !known.has(chosen)) known.set(chosen, chosen)
  return [...known]
}
