/** Which field of a form a refusal is about: the API puts its name in quotes, as in "'max_running' must be at least 1". */
import { ApiError } from '@/api/errors'

export function fieldAtFault(error: unknown, fields: readonly string[]): string | null {
  if (!(error instanceof ApiError) || error.status < 400 || error.status >= 500) return null
  for (const [, name] of error.sentence.matchAll(/['‘’"`]([A-Za-z_][A-Za-z0-9_]*)['‘’"`]/g)) {
    if (name && fields.includes(name)) return name
  }
  return null
}

/** What to write under a field: the server's sentence if the field is at fault, without the name that only programs know. */
export function errorOfField(error: unknown, fields: readonly string[], field: string): string | null {
  if (fieldAtFault(error, fields) !== field) return null
  return (error as ApiError).sentence.replace(new RegExp(`^(The setting )?['‘"\`]${field}['’"\`]`), 'This')
}
