/**
 * Types of endpoints that `openapi.json` does not describe yet. When it does, use the generated type and delete the one here.
 */

// People and sessions

export type Role = 'admin' | 'member' | 'viewer' | 'none'
export interface ProjectRole { project_id: string; role: 'member' | 'viewer' }
export interface Session {
  signed_in: boolean
  as: 'person' | 'api_key' | 'token' | 'local' | null
  person: { id: string; email: string; name: string; role: Role; projects: ProjectRole[] } | null
  role: Role
  needs_first_admin: boolean
  sign_in: { password: boolean; oidc: { name: string } | null }
  version: string
}
export interface SessionEntry {
  id: string; created_at: string; last_seen_at: string | null; expires_at: string
  address: string | null; user_agent: string | null; current: boolean
}
export interface LinkLook {
  kind: 'first_admin' | 'invitation' | 'sign_in' | 'reset'
  email: string | null; role: Role | null; project_name: string | null; expires_at: string
}
export interface Person {
  id: string; email: string; name: string; role: Role; projects: ProjectRole[]
  disabled_at: string | null; created_at: string; last_seen_at: string | null; has_password: boolean; oidc: boolean
}
export interface Invitation {
  id: string; email: string | null; role: Role; project_id: string | null
  created_at: string; expires_at: string; created_by: string
}
export interface MadeLink { link: string; expires_at: string }
export interface Token {
  id: string; name: string; scope: 'app' | 'worker' | 'ingest'; role: Role | null; project_id: string | null
  created_by: string; created_at: string; expires_at: string | null; last_used_at: string | null; prefix: string
}
export interface AuditEntry {
  seq: number; at: string; actor: { kind: string; id: string | null; name: string }; kind: string
  project_id: string | null; ticket_id: string | null; job_id: string | null
  data: Record<string, unknown>; sentence: string
}
/** What the list is narrowed to; `from` and `until` are days. */
export interface AuditFilters { actor?: string; kind?: string; project_id?: string; ticket_id?: string; from?: string; until?: string }
export interface AuditPage { entries: AuditEntry[]; older: boolean }

// Board and ticket

export type Word =
  | 'backlog' | 'waiting' | 'starting' | 'research' | 'plan' | 'plan_review' | 'turn' | 'opening_pr'
  | 'in_review' | 'done' | 'failed' | 'cancelled' | 'stopping' | 'silent'
export interface Action { label: string; method: string; path: string; body: object | null }
export interface State {
  word: Word
  turn: number | null
  since: string
  sentence: string
  why: { code: string; sentence: string; action: Action | null } | null
}
export interface Diffstat { files: number; added: number; removed: number }
export interface Card {
  id: string; project_id: string; title: string; priority: 'low' | 'medium' | 'high'; column_id: string; position_key: string
  state: State; job_id: string | null; attempt: number | null; worker_id: string | null
  last_line: { text: string; at: string } | null
  last_sign_of_life_at: string | null; lease_remaining_ms: number | null
  diffstat: Diffstat | null; pr_url: string | null; pr_number: number | null; needs_person: boolean; updated_at: string
}
export interface Summary { need_person: number; running: number; waiting: number; hosts: number; stopped: boolean }
export interface Board {
  project_id: string
  columns: { id: string; title: string; order: number }[]
  cards: Card[]
  position: string
  summary: Summary
}
export interface Attempt {
  job_id: string; attempt: number; kind: string; worker_id: string | null
  claimed_at: string | null; ended_at: string | null; outcome: string | null; reason: string | null
  detail: string | null; exit_code: number | null; log_tail: string | null
}
export interface Msg {
  id: string; seq: number; text: string; author: string; created_at: string
  delivered_at: string | null; attempt: number | null; turn: number | null
}
export interface DiffInfo extends Diffstat {
  id: string; attempt: number; turn: number | null; commit: string; base: string
  bytes: number; truncated: boolean; created_at: string
}
export interface TicketPage<Ticket> {
  ticket: Ticket
  card: Card
  attempts: Attempt[]
  todo: { content: string; status: string }[] | null
  plan: { text: string; at: string } | null
  messages: Msg[]
  diffs: DiffInfo[]
  position: string
}
export type Phase = 'research' | 'plan' | 'execution' | 'setup' | 'conflicts'
export type EntryData =
  | { kind: 'turn_started'; phase: Phase; turn: number; prompt_bytes: number; messages: string[] }
  | { kind: 'turn_ended'; phase: Phase; turn: number; tools: number; took_ms: number }
  | { kind: 'tool'; phase: Phase; turn: number; tool: string; title: string | null; status: 'completed' | 'error'; took_ms: number | null }
  | { kind: 'said'; phase: Phase; turn: number }
  | { kind: 'todo'; items: { content: string; status: string }[] }
  | { kind: 'plan'; round: number }
  | {
      kind: 'verdict'; phase: 'plan_review' | 'turn_review'; turn: number; round: number | null
      approved: boolean; complete: boolean | null; feedback: string | null; next: string | null
    }
  | { kind: 'commit'; turn: number; commit: string; files: number; added: number; removed: number }
  | { kind: 'pull_request'; url: string; number: number | null }
export interface Entry {
  seq: number; id: string; step: string; summary: string; success: boolean; created_at: string
  session_id: string | null; attempt: number | null
  /** Kinds that this page does not know are shown as text. */
  data: EntryData | null
  raw_bytes: number
}
export interface TimelinePage { entries: Entry[]; older: boolean; newer: boolean }
export interface FullEntry extends Entry { raw_output: string | null }

// Inbox and fleet

export interface InboxItem {
  ticket_id: string; project_id: string; project_name: string; title: string; kind: 'failed' | 'pull_request'
  since: string; sentence: string; detail: string | null; job_id: string | null
  pr_url: string | null; pr_number: number | null; diffstat: Diffstat | null
}
export interface Inbox { items: InboxItem[]; snoozed: number }
export interface FleetJob {
  job_id: string; attempt: number; ticket_id: string; project_id: string; title: string
  claimed_at: string; lease_remaining_ms: number | null; state: State
}
export interface Finding { check: string; ok: boolean; sentence: string; fix: string | null }
export interface FleetCoordinator {
  worker_id: string; name?: string | null; version?: string | null; slots?: number | null; held: number
  directive: 'run' | 'drain'; first_seen_at: string; last_heartbeat_at: string
  seen_ms_ago: number; lost: boolean; limit: number | null
  disk_free_bytes: number | null; disk_total_bytes: number | null; engine: string | null
  findings: Finding[]; adopted: number | null; jobs: FleetJob[]
}
export interface QueueOfProject {
  project_id: string; project_name: string; running: number; due: number; delayed: number
  oldest_due_ms: number | null; limit: number | null; paused: boolean
}
export interface Fleet {
  coordinators: FleetCoordinator[]; queue: QueueOfProject[]
  stopped: boolean; stopped_at: string | null; stopped_by: string | null
}

// Settings

export interface TestResult { ok: boolean; sentence: string; detail: string | null; took_ms: number; model: string | null }
export interface ProjectCheck {
  check: 'repository' | 'token' | 'push' | 'pull_request' | 'model' | 'coordinator'
  ok: boolean | null; sentence: string; fix: string | null
}
