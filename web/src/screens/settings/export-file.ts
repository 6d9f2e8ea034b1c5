/** Reads a file that was exported, and says what an import did. Pure. */
import { plural } from '@/lib/time'

export interface Export { settings: Record<string, unknown>; secrets?: string[]; projects?: unknown[] }

export function readExport(text: string): { content: Export } | { problem: string } {
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch {
    return { problem: 'This file is not JSON. Choose one that was exported here.' }
  }
  const settings = (content as Partial<Export> | null)?.settings
  if (typeof settings !== 'object' || settings === null || Array.isArray(settings)) return { problem: 'This file has no settings in it. Choose one that was exported here.' }
  return { content: content as Export }
}

export interface Imported { settings: number; created_projects: number; changed_projects: number; missing_secrets: string[] }

export function importSentence({ settings, created_projects: made, changed_projects: changed, missing_secrets: missing }: Imported): string {
  const did = [`${plural(settings, 'setting')} set`, made > 0 && `${plural(made, 'project')} made`, changed > 0 && `${plural(changed, 'project')} changed`].filter(Boolean).join(', ')
  return `${did}.${missing.length > 0 ? ` Not set here yet: ${missing.join(', ')}. Set ${missing.length === 1 ? 'it' : 'them'} in these settings.` : ''}`
}
