/** Requests to the API. Every failure is an `ApiError`; a request that was aborted stays an `AbortError`. */
import { noteServerTime } from '@/lib/clock'
import { ApiError } from './errors'

type QueryValues = Record<string, string | number | boolean | null | undefined>

export interface Options {
  query?: QueryValues
  body?: unknown
  signal?: AbortSignal
  headers?: Record<string, string>
}

/** An address of the API with its query. Parts of a path that come from data go through `encodeURIComponent` first. */
export function address(path: string, query: QueryValues = {}): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== '')
  if (pairs.length === 0) return path
  return `${path}?${new URLSearchParams(pairs.map(([name, value]) => [name, String(value)]))}`
}

/** A change whose answer did not come may have been made all the same. */
const LOST = 'The server did not answer. What you see when this page is live again is what holds.'

/** Sends a request and returns its raw answer, if it was successful. */
export async function send(method: string, path: string, options: Options = {}): Promise<Response> {
  const headers: Record<string, string> = { accept: 'application/json', ...options.headers }
  const init: RequestInit = { method, headers, credentials: 'same-origin', signal: options.signal ?? null }
  if (options.body !== undefined) {
    headers['content-type'] = 'application/json'
    init.body = JSON.stringify(options.body)
  }
  let response: Response
  try {
    response = await fetch(address(path, options.query), init)
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw new ApiError(method === 'GET' ? 'The server could not be reached. Try again in a moment.' : LOST, 'unreachable', 0)
  }
  noteServerTime(response.headers.get('date'))
  if (!response.ok) throw await errorOf(response)
  return response
}

async function errorOf(response: Response): Promise<ApiError> {
  const requestId = response.headers.get('x-request-id')
  const retryAfter = Number.parseInt(response.headers.get('retry-after') ?? '', 10)
  const seconds = Number.isFinite(retryAfter) ? retryAfter : null
  const text = await response.text().catch(() => '')
  try {
    const body = JSON.parse(text) as { error?: unknown; code?: unknown; request_id?: unknown }
    if (typeof body.error === 'string') {
      const code = typeof body.code === 'string' ? body.code : 'unknown'
      const id = typeof body.request_id === 'string' ? body.request_id : requestId
      return new ApiError(body.error, code, response.status, id, seconds)
    }
  } catch {
    // Not ours: a proxy's page. What it says is not shown; its status is.
  }
  const sentence =
    response.status >= 502 && response.status <= 504
      ? `The server could not be reached: a proxy answered ${response.status}. Try again in a moment.`
      : `The server answered ${response.status} without a reason.`
  return new ApiError(sentence, 'unknown', response.status, requestId, seconds)
}

async function json<T>(method: string, path: string, options: Options): Promise<T> {
  const response = await send(method, path, options)
  if (response.status === 204) return undefined as T
  return (await response.json()) as T
}

export const api = {
  get: <T>(path: string, options: Options = {}) => json<T>('GET', path, options),
  post: <T>(path: string, body?: unknown, options: Options = {}) => json<T>('POST', path, { ...options, body: body ?? {} }),
  put: <T>(path: string, body: unknown, options: Options = {}) => json<T>('PUT', path, { ...options, body }),
  patch: <T>(path: string, body: unknown, options: Options = {}) => json<T>('PATCH', path, { ...options, body }),
  delete: <T>(path: string, body?: unknown, options: Options = {}) => json<T>('DELETE', path, { ...options, body }),
}

/** The same action as a command for a shell. The key is a variable, so that it does not get into anyone's history. */
export function asCurl(method: string, path: string, body?: unknown): string {
  const lines = [`curl -sS -X ${method} '${new URL(path, window.location.origin).href}'`, `  -H "Authorization: Bearer $TERARCHITECT_API_KEY"`]
  if (body !== undefined && body !== null) {
    lines.push(`  -H 'Content-Type: application/json'`, `  -d '${JSON.stringify(body).replaceAll("'", `'\\''`)}'`)
  }
  return lines.join(' \\\n')
}
