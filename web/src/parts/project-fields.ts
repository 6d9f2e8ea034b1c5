/** The form of a project: its values as text, and what of them changed. Pure. */
import type { NewProject, Project, ProjectChanges } from '@/api/types'

export interface ProjectValues {
  name: string; description: string; github_url: string; max_running: string; weight: string; retry_agent_failures: string
  update_strategy: string; submodules: boolean; agent_image: string; paused: boolean; execution_mode: string; project_path: string
}
export const PROJECT_FIELDS = ['name', 'description', 'github_url', 'max_running', 'weight', 'retry_agent_failures', 'update_strategy', 'submodules', 'agent_image', 'paused', 'execution_mode', 'project_path'] as const

export function valuesOf(project: Project): ProjectValues {
  return {
    name: project.name, description: project.description ?? '', github_url: project.github_url ?? '', max_running: project.max_running?.toString() ?? '',
    weight: String(project.weight), retry_agent_failures: String(project.retry_agent_failures), update_strategy: project.update_strategy, submodules: project.submodules,
    agent_image: project.agent_image ?? '', paused: project.paused, execution_mode: project.execution_mode, project_path: project.project_path ?? '',
  }
}

const NUMBERS = new Set<string>(['max_running', 'weight', 'retry_agent_failures'])

/** The fields that differ, as the API takes them. An emptied number means "no limit", an emptied text clears. */
export function changesOf(before: ProjectValues, after: ProjectValues): ProjectChanges {
  const changes: Record<string, unknown> = {}
  for (const field of PROJECT_FIELDS) {
    const value = after[field]
    if (value === before[field]) continue
    if (typeof value === 'boolean') changes[field] = value
    else if (NUMBERS.has(field)) changes[field] = value.trim() === '' ? null : Number(value)
    else changes[field] = value.trim()
  }
  return changes as ProjectChanges
}

/** A name for a repository, from its address. */
export function nameOfRepository(address: string): string {
  const last = address.trim().replace(/\/+$/, '').split(/[/:]/).at(-1) ?? ''
  return last.replace(/\.git$/, '')
}

export function newProject(values: { name: string; github_url: string; hasCode: boolean }): NewProject {
  const url = values.github_url.trim()
  return { name: values.name.trim(), ...(url ? { github_url: url } : {}), is_existing_repo: values.hasCode }
}
