/** What can be done with a ticket, from its card and from its page. Open ones are laid over the data, marked as unconfirmed. */
import { api } from '@/api/client'
import type { Card } from '@/api/contract'
import { keys } from '@/api/keys'
import { refreshCard } from '@/live/refresh'
import { canStop, toast } from '@/ui'
import { useMutation, useMutationState, useQueryClient } from '@tanstack/react-query'
import { useMemo } from 'react'

export type TicketAction =
  | { kind: 'move'; card: Card; to: string; toTitle: string }
  | { kind: 'run'; card: Card }
  | { kind: 'stop'; card: Card }
  | { kind: 'retry'; card: Card; note: string }
  | { kind: 'end_wait'; card: Card }

interface Request { method: 'POST' | 'PATCH' | 'PUT'; path: string; body?: object }

export const IN_PROGRESS = 'in_progress'

/** The request behind an action; also what "copy as curl" shows. */
export function requestOf(action: TicketAction): Request {
  const { card } = action
  const ticket = `/api/projects/${card.project_id}/tickets/${card.id}`
  switch (action.kind) {
    case 'move':
      return { method: 'PATCH', path: ticket, body: { column_id: action.to } }
    case 'run':
      return { method: 'PATCH', path: ticket, body: { column_id: IN_PROGRESS } }
    case 'stop':
      return { method: 'POST', path: `${ticket}/cancel` }
    case 'retry':
      return { method: 'POST', path: `/api/jobs/${card.job_id}/retry`, body: action.note.trim() ? { note: action.note.trim() } : {} }
    case 'end_wait': {
      const end = card.state.why?.action
      return { method: (end?.method ?? 'POST') as Request['method'], path: end?.path ?? '', ...(end?.body ? { body: end.body } : {}) }
    }
  }
}

/** What did not happen, when it failed. */
function refusalOf(action: TicketAction): string {
  const title = `“${action.card.title}”`
  switch (action.kind) {
    case 'move':
      return `${title} was not moved to ${action.toTitle}.`
    case 'run':
      return `${title} was not started.`
    case 'stop':
      return `${title} was not stopped.`
    case 'retry':
      return `${title} was not tried again.`
    case 'end_wait':
      return `${title} goes on waiting.`
  }
}

/** What was asked for and is not confirmed yet, in words. */
export function pendingText(action: TicketAction): string {
  switch (action.kind) {
    case 'move':
      return `Moving to ${action.toTitle}, not confirmed yet`
    case 'run':
      return 'Start requested, not confirmed yet'
    case 'stop':
      return 'Stop requested, not confirmed yet'
    case 'retry':
      return 'Retry requested, not confirmed yet'
    case 'end_wait':
      return `${action.card.state.why?.action?.label ?? 'Change'} requested, not confirmed yet`
  }
}

export function canRun(card: Card): boolean {
  return card.state.word === 'backlog' || card.state.word === 'cancelled' || (card.state.word === 'failed' && card.job_id === null)
}
export function canRetry(card: Card): boolean {
  return card.state.word === 'failed' && card.job_id !== null
}
/** Whether a move there ends what runs or waits for the ticket. */
export function moveStops(card: Card, to: string): boolean {
  return canStop(card.state.word) && card.column_id === IN_PROGRESS && to !== IN_PROGRESS
}

const KEY = 'ticket-action'

/** The actions that the server has not confirmed yet, by ticket. */
export function usePendingActions(): Map<string, TicketAction> {
  const open = useMutationState({ filters: { mutationKey: [KEY], status: 'pending' }, select: (mutation) => mutation.state.variables as TicketAction })
  return useMemo(() => new Map(open.map((action) => [action.card.id, action])), [open])
}

export function useTicketActions() {
  const queries = useQueryClient()
  return useMutation({
    mutationKey: [KEY],
    mutationFn: async (action: TicketAction) => {
      const { method, path, body } = requestOf(action)
      const call = method === 'PATCH' ? api.patch : method === 'PUT' ? api.put : api.post
      await call(path, body)
      // The mark stays until the confirmed state is there, so that nothing jumps back in between.
      await refreshCard(queries, action.card.project_id, action.card.id)
    },
    onSuccess: (_, action) => queries.invalidateQueries({ queryKey: keys.ticketPage(action.card.id) }),
    onError: (error, action) => toast.failed(refusalOf(action), error),
  })
}
