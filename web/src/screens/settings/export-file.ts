/** Reads a file that was exported. Pure. */
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
