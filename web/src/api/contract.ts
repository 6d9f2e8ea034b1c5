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
