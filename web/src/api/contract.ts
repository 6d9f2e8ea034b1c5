/**
 * Short names for the generated types of what the API answers. A response has every field, with null where there is nothing;
 * the generator marks those as optional, because the document allows the same types in requests.
 */
import type { components } from './schema'

type Schemas = components['schemas']
type Whole<T> = T extends (infer Item)[]
  ? Whole<Item>[]
  : T extends object
    ? string extends keyof T ? T : { [K in keyof T]-?: Whole<Exclude<T[K], undefined>> }
    : T
type Of<Name extends keyof Schemas> = Whole<Schemas[Name]>

// People and sessions

export type Role = Of<'Role'>
export type ProjectRole = Of<'RoleInProject'>
export type Session = Of<'SessionView'>
export type SessionEntry = Of<'SessionEntry'>
export type LinkLook = Of<'LinkView'>
export type DeviceLogin = Of<'DeviceLoginView'>
export type Person = Of<'Person'>
export type Invitation = Of<'Invitation'>
export type MadeLink = Of<'NewLinkView'>
export type Token = Of<'Token'>
export type AuditEntry = Of<'AuditEntry'>
/** What the list is narrowed to; `from` and `until` are days. */
export interface AuditFilters { actor?: string; kind?: string; project_id?: string; ticket_id?: string; from?: string; until?: string }
export type AuditPage = Of<'AuditPage'>

// A project

export type ProjectSecret = Of<'ProjectSecret'>

// Board and ticket

export type Word = Of<'StateWord'>
export type Action = Of<'WaitingAction'>
export type State = Of<'TicketState'>
export type Diffstat = Of<'Diffstat'>
export type Card = Of<'Card'>
export type Summary = Of<'Summary'>
export type Board = Of<'LiveBoard'>
export type Attempt = Of<'TicketAttempt'>
export type Msg = Of<'PersonMessage'>
export type DiffInfo = Of<'DiffInfo'>
export type Todo = Of<'TodoEntry'>
export type TicketPage = Of<'TicketPage'>
export type EntryData = Of<'EntryData'>
export type Entry = Of<'TimelineEntry'>
export type TimelinePage = Of<'Timeline'>
export type FullEntry = Of<'WholeEntry'>

// A ticket's pull request

export type PullReview = Of<'PullReview'>
export type PullThread = Of<'PullThread'>
export type PullComment = Of<'PullComment'>
export type PullCheck = Of<'PullCheck'>
export type PullVerdict = Of<'PullVerdict'>
export type PullOrder = Of<'PullOrder'>
export type ReviewDone = Of<'ReviewDone'>

// Forges

export type Credential = Of<'Credential'>
export type WebhookSecret = Of<'WebhookSecret'>
export type NewSecret = Of<'NewSecretView'>
export type Delivery = Of<'Delivery'>
export type DeliveryPage = Of<'DeliveryPage'>

// Inbox and fleet

export type Checkpoint = Of<'Checkpoint'>
export type InboxItem = Of<'InboxItem'>
export type Inbox = Of<'Inbox'>
export type FleetJob = Of<'FleetJob'>
export type Finding = Of<'HostFinding'>
export type FleetCoordinator = Of<'FleetCoordinator'>
export type QueueOfProject = Of<'ProjectQueue'>
export type Fleet = Of<'Fleet'>

// Settings

export type TestResult = Of<'Tested'>
export type ProjectCheck = Of<'ProjectCheck'>

// Work orders and schedules

export interface WorkOrderLine { id: string; title: string; definition_of_done: string; status: string }
export type OrderStatus = 'pending' | 'running' | 'completed' | 'failed' | 'cancelled'
export type OrderSource = 'cloud' | 'local' | 'job'
export interface WorkOrder {
  id: string; project_id: string; repo_id: string | null; agent_id: string | null; source: OrderSource; objective: string; status: OrderStatus
  branch_name: string | null; cursor_agent_id: string | null; pr_url: string | null; pr_number: number | null; summary: string | null; error_message: string | null; launch_error: string | null
  parent_work_order_id: string | null; tokens_input: number | null; tokens_output: number | null; total_cost: number | null; model: string | null; duration_ms: number | null
  lines: WorkOrderLine[]; constraints: Record<string, unknown>; exploration_hints: Record<string, unknown>; verification: Record<string, unknown>; metadata: Record<string, unknown>
  created_at: string; updated_at: string; finished_at: string | null
}
export type OrderEntry = WorkOrder & { agents: { name: string } | null; agent_repos: { repo_url: string } | null }
/** `next_cursor` is absent on the last page. */
export interface OrderPage { work_orders: OrderEntry[]; next_cursor?: number }
export interface OrderLog { id: string; work_order_id: string; event_type: string; summary: string; success: boolean; payload: unknown; sequence_number: number; created_at: string }
export type OrderDetail = WorkOrder & { repo_url: string | null; default_branch: string; agent_name: string | null; system_prompt: string | null; default_config: unknown; logs: OrderLog[] }
export interface Launched { ok: boolean; work_order_id: string; status: OrderStatus; cursor_agent_id: string | null; launch_error: string | null }
export interface OrderCancelled { ok: boolean; work_order_id: string; status: OrderStatus }
export interface LineSet { ok: boolean; work_order_id: string; line: WorkOrderLine; open: string[] }
export interface CatalogueAgent { id: string; slug: string; name: string; program: string }
export interface Repo { id: string; name: string; repo_url: string | null; agent_id: string | null; default_branch: string }
export interface Schedule {
  id: string; name: string; description: string | null; cron_expression: string; timezone: string; agent_id: string | null; repo_id: string | null; work_order_template: Record<string, unknown>
  enabled: boolean; missed: 'run' | 'skip'; overlap: 'skip' | 'allow'; last_run_at: string | null; next_run_at: string | null; next_runs: string[]; created_at: string; updated_at: string
}
export interface ScheduleRun {
  id: string; job_id: string; due_at: string | null; work_order_id: string | null; status: 'pending' | 'running' | 'completed' | 'failed' | 'skipped'
  error_message: string | null; missed: number; pr_url: string | null; started_at: string; finished_at: string | null
}
export interface ScheduleStarted { ok: boolean; work_order_id: string; launch_error: string | null }
