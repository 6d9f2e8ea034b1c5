/** Roles in words. Pure. */
import type { Person, ProjectRole, Role } from '@/api/contract'

export const roleNames: Record<Role, string> = { admin: 'Admin', member: 'Member', viewer: 'Viewer', none: 'Only in projects' }
export const roleAbouts: Record<Role, string> = {
  admin: 'does everything, also settings and people',
  member: 'works on tickets in every project',
  viewer: 'looks at every project',
  none: 'sees only the projects chosen for them',
}

/** What somebody may do, on one line. */
export function access(person: Pick<Person, 'role' | 'projects'>, nameOf: (projectId: string) => string): string {
  if (person.role === 'admin') return 'Admin'
  const own = person.projects.map((one) => `${one.role} in ${nameOf(one.project_id)}`)
  if (person.role === 'none') return own.length === 0 ? 'Nothing yet' : own.join(', ').replace(/^./, (first) => first.toUpperCase())
  return [roleNames[person.role], ...own].join(', ')
}

/** The roles in projects with one changed; '' takes it away, so that the global role counts there. */
export function withRole(projects: readonly ProjectRole[], projectId: string, role: ProjectRole['role'] | ''): ProjectRole[] {
  const rest = projects.filter((one) => one.project_id !== projectId)
  return role === '' ? rest : [...rest, { project_id: projectId, role }]
}

/** A browser and a system, from what a browser says of itself. */
export function device(agent: string | null): string {
  if (!agent) return 'An unknown program'
  const browser = [['Edg', 'Edge'], ['OPR', 'Opera'], ['Firefox', 'Firefox'], ['Chrome', 'Chrome'], ['Safari', 'Safari'], ['curl', 'curl']].find(([mark]) => agent.includes(`${mark}/`))?.[1]
  const system = [['iPhone', 'iPhone'], ['iPad', 'iPad'], ['Android', 'Android'], ['Windows', 'Windows'], ['Mac OS', 'Mac'], ['Linux', 'Linux']].find(([mark]) => agent.includes(mark ?? ''))?.[1]
  if (!browser && !system) return agent.slice(0, 60)
  return [browser ?? 'A browser', system && `on ${system}`].filter(Boolean).join(' ')
}
