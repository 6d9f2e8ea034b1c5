/** The form of a project's reviews: its values as text, and what of them changed. Pure. */
import type { Project, ProjectChanges } from '@/api/types'

export interface ForgeValues {
  review_trigger: string; review_quiet_sec: string; review_bots: string; max_check_fixes: string
  base_update: string; delete_merged_branch: boolean; issue_label: string; forge_kind: string
}
export const FORGE_FIELDS = ['review_trigger', 'review_quiet_sec', 'review_bots', 'max_check_fixes', 'base_update', 'delete_merged_branch', 'issue_label', 'forge_kind'] as const

export function forgeValuesOf(project: Project): ForgeValues {
  return {
    review_trigger: project.review_trigger, review_quiet_sec: String(project.review_quiet_sec), review_bots: project.review_bots.join(', '),
    max_check_fixes: String(project.max_check_fixes), base_update: project.base_update, delete_merged_branch: project.delete_merged_branch,
    issue_label: project.issue_label ?? '', forge_kind: project.forge_kind ?? '',
  }
}

/** The fields that differ, as the API takes them. */
export function forgeChangesOf(before: ForgeValues, after: ForgeValues): ProjectChanges {
  const changes: Record<string, unknown> = {}
  for (const field of FORGE_FIELDS) {
    const value = after[field]
    if (value === before[field]) continue
    if (typeof value === 'boolean') changes[field] = value
    else if (field === 'review_bots') changes[field] = value.split(/[\s,]+/).filter(Boolean)
    else if (field === 'review_quiet_sec' || field === 'max_check_fixes') changes[field] = Number(value)
    else changes[field] = value.trim() === '' ? null : value.trim()
  }
  return changes as ProjectChanges
}
