/** What the tabs of one browser tell each other about the event log, and what the page knows of its connection. */
import type { Card } from '@/api/contract'

export interface LiveEvent {
  seq: number
  kind: string
  actor: string
  project_id?: string | null
  ticket_id?: string | null
  job_id?: string | null
  attempt?: number | null
  data: Record<string, unknown>
  created_at: string
}

/** `live`: a stream is open, or pages are read, and nothing is outstanding. */
export type LiveState = 'live' | 'catching_up' | 'offline'

export interface Connection {
  state: LiveState
  /** Since when, in milliseconds of this browser's clock. */
  since: number
  /** Whether pages are read because something between here and the server holds the stream back. */
  polling: boolean
}

export type LiveMessage =
  | { type: 'events'; events: LiveEvent[]; position: string | null }
  /** The newest cards of tickets that changed; they have no position. */
  | { type: 'cards'; cards: Card[] }
  /** The leader's connection; sent at least with every sign of life from the server. */
  | { type: 'connection'; connection: Connection; position: string | null }
  /** Events are missing for good: load everything again. */
  | { type: 'resync' }
  /** The log is followed from this moment on: what was loaded before it may lack something. */
  | { type: 'opened'; at: number }
  /** The same after an interruption: events come once more, but cards that were missed do not. */
  | { type: 'reopened' }
  | { type: 'signed_out' }
  /** From a tab that has just been opened, to the leader. */
  | { type: 'hello' }
  /** Somebody signed in or out: connect again. */
  | { type: 'restart' }
