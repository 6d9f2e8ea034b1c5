import { send } from '@/api/client'
import type { ParsedDiff } from './parse'

/** Fetches a diff and has it parsed in a worker. */
export async function loadDiff(path: string, signal: AbortSignal): Promise<ParsedDiff> {
  const response = await send('GET', path, { signal, headers: { accept: 'text/x-diff, */*' } })
  const bytes = await response.arrayBuffer()
  const worker = new Worker(new URL('./diff.worker.ts', import.meta.url), { type: 'module' })
  try {
    return await new Promise((resolve, reject) => {
      worker.onmessage = (message: MessageEvent<ParsedDiff>) => resolve(message.data)
      worker.onerror = () => reject(new Error('the diff could not be parsed'))
      signal.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')), { once: true })
      worker.postMessage(bytes, [bytes])
    })
  } finally {
    worker.terminate()
  }
}
