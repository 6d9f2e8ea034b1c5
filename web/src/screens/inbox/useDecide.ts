/** Sends decisions. What is being decided is marked until the server has answered; the list itself only comes from the server. */
import { api } from '@/api/client'
import { keys } from '@/api/keys'
import { toast } from '@/ui'
import { useMutation, useMutationState, useQueryClient } from '@tanstack/react-query'
import { type Decision, idOf, looks } from './decisions'
import { forget } from './drafts'

const KEY = ['inbox', 'decide']

export async function decide({ item, verdict, note, forSec }: Decision): Promise<unknown> {
  const ticket = `/api/projects/${item.project_id}/tickets/${item.ticket_id}`
  switch (verdict) {
    case 'approve': return api.post(`/api/checkpoints/${item.checkpoint?.id}/approve`, note ? { answer: note } : {})
    case 'reject': return api.post(`/api/checkpoints/${item.checkpoint?.id}/reject`, note ? { reason: note } : {})
    case 'retry': return api.post(`/api/jobs/${item.job_id}/retry`, note ? { note } : {})
    case 'done': return api.patch(ticket, { column_id: 'done' })
    case 'backlog': return api.patch(ticket, { column_id: 'backlog' })
    case 'snooze': return api.post(`/api/inbox/${item.ticket_id}/snooze`, { for_sec: forSec })
  }
}

export function useDecide(): (decision: Decision, when?: string) => void {
  const queries = useQueryClient()
  const send = useMutation({
    mutationKey: KEY,
    mutationFn: ({ decision }: { decision: Decision; when?: string | undefined }) => decide(decision),
    onSuccess: async (_, { decision, when }) => {
      await queries.invalidateQueries({ queryKey: keys.inbox })
      void queries.invalidateQueries({ queryKey: keys.summary })
      const { item, verdict } = decision
      forget(idOf(item))
      const said = `${item.title}: ${verdict === 'snooze' ? `comes back ${when ?? 'later'}.` : looks[verdict].done}`
      if (verdict !== 'snooze') toast.done(said)
      else toast.done(said, { label: 'Undo', run: () => void undo(item.ticket_id) })
    },
    onError: (error, { decision }) => toast.failed(`${decision.item.title}: ${looks[decision.verdict].failed}`, error),
  })
  const undo = async (ticketId: string) => {
    try {
      await api.post(`/api/inbox/${ticketId}/snooze`, { for_sec: 0 })
      await queries.invalidateQueries({ queryKey: keys.inbox })
    } catch (error) {
      toast.failed('It stays put off.', error)
    }
  }
  return (decision, when) => send.mutate({ decision, when })
}

/** What is being decided now, by the item's id. */
export function useDeciding(): Map<string, Decision> {
  const open = useMutationState({
    filters: { mutationKey: KEY, status: 'pending' },
    select: (mutation) => (mutation.state.variables as { decision: Decision }).decision,
  })
  return new Map(open.map((decision) => [idOf(decision.item), decision]))
}
