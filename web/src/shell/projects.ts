import { api } from '@/api/client'
import { keys } from '@/api/keys'
import type { Project } from '@/api/types'
import { queryOptions } from '@tanstack/react-query'

export const projectsQuery = queryOptions({
  queryKey: keys.projects,
  queryFn: ({ signal }) => api.get<Project[]>('/api/projects', { signal }),
})

const NAME = 'terarchitect-project'

/** The project whose board was open last in this browser. */
export function lastProject(): string | null {
  try {
    return localStorage.getItem(NAME)
  } catch {
    return null
  }
}

export function rememberProject(id: string): void {
  try {
    localStorage.setItem(NAME, id)
  } catch {
    // Storage is off: the first project is opened next time.
  }
}
