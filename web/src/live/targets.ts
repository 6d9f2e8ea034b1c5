/** Which loaded data an event makes old. Pure; `refresh.ts` acts on it. */
import { keys } from '@/api/keys'
import type { LiveEvent } from './protocol'

export type Key = readonly unknown[]

export interface Targets {
  /** Queries to load again, by the beginning of their keys. */
  lists: Key[]
  /** A card to fetch again. */
  card: { projectId: string; ticketId: string } | null
  /** The whole board has another shape. */
  board: string | null
}

/** Entries of the log that the ticket's page shows outside of its timeline. */
const SHOWN_BESIDE_THE_TIMELINE = new Set(['todo', 'plan', 'acceptance'])

/** Entries around which runners tell what their models used. */
const USAGE_IS_TOLD_WITH = new Set(['turn_ended', 'verdict', 'model_usage'])

export function targetsOf(event: LiveEvent): Targets {
  const family = event.kind.split('.')[0] ?? ''
  const { project_id: projectId, ticket_id: ticketId } = event
  const card = projectId && ticketId ? { projectId, ticketId } : null
  const targets: Targets = { lists: [], card, board: null }
  const { lists } = targets
  switch (family) {
    case 'log':
      if (ticketId) lists.push(keys.logEnd(ticketId), keys.order(ticketId))
      if (ticketId && SHOWN_BESIDE_THE_TIMELINE.has(String(event.data['kind']))) lists.push(keys.ticketPage(ticketId))
      if (ticketId && USAGE_IS_TOLD_WITH.has(String(event.data['kind']))) lists.push(keys.usage(ticketId), keys.budgets)
      return targets
    case 'ticket':
      lists.push(keys.summary, keys.inbox, keys.orderLists)
      if (event.kind === 'ticket.deleted' && projectId) {
        targets.card = null
        targets.board = projectId
      }
      break
    case 'job':
    case 'attempt':
      lists.push(keys.summary, keys.inbox, keys.fleet)
      // A run of a schedule stands as its order does.
      lists.push(keys.orderLists, keys.runs)
      // What a review's job makes of remarks is shown beside them.
      if (ticketId) lists.push(keys.review(ticketId))
      break
    case 'work_order':
      lists.push(keys.orderLists, keys.runs, keys.inbox, keys.summary)
      break
    case 'schedule':
      lists.push(keys.schedules)
      break
    case 'agent':
      lists.push(keys.agents)
      break
    case 'message':
    case 'diff':
      break
    case 'project':
      lists.push(keys.projects, keys.repos, keys.summary, keys.proofs, keys.budgets)
      if (projectId) lists.push(keys.project(projectId), keys.columns(projectId))
      targets.board = projectId ?? null
      break
    case 'coordinator':
    case 'fleet':
      lists.push(keys.fleet, keys.summary)
      // Why tickets wait depends on hosts and on whether everything is stopped.
      if (event.kind !== 'coordinator.seen') lists.push(keys.boards)
      break
    case 'settings':
      lists.push(keys.settings)
      break
    case 'memory':
      if (projectId) lists.push(keys.memory(projectId))
      break
    case 'inbox':
    case 'checkpoint':
      // A decision may have granted more of a budget.
      lists.push(keys.inbox, keys.summary, keys.budgets)
      break
    case 'pull_request':
    case 'comment':
      lists.push(keys.inbox, keys.summary, keys.orderLists)
      if (ticketId) lists.push(keys.review(ticketId))
      break
    case 'credential':
      lists.push(keys.credentials, keys.reviews)
      break
    case 'webhook_secret':
      lists.push(keys.webhookSecrets)
      break
    case 'secret':
      if (projectId) lists.push(keys.secrets(projectId))
      break
    case 'delivery':
    case 'forge':
      lists.push(keys.deliveries)
      break
    case 'person':
    case 'invitation':
      lists.push(keys.people, keys.invitations, keys.session)
      break
    case 'token':
      lists.push(keys.tokens)
      break
    case 'session':
      lists.push(keys.sessions)
      break
  }
  if (ticketId) lists.push(keys.ticketPage(ticketId), keys.order(ticketId))
  // A delivery is behind each of these.
  if (family === 'pull_request' || family === 'comment') lists.push(keys.deliveries)
  lists.push(keys.audit)
  return targets
}
