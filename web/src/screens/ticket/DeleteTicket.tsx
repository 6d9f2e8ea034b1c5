import { api } from '@/api/client'
import { keys } from '@/api/keys'
import type { Ticket } from '@/api/types'
import { Button, Dialog, toast } from '@/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'

export default function DeleteTicket({ ticket, onClose }: { ticket: Ticket; onClose: () => void }) {
  const queries = useQueryClient()
  const navigate = useNavigate()
  const remove = useMutation({
    mutationFn: () => api.delete(`/api/projects/${ticket.project_id}/tickets/${ticket.id}`),
    onSuccess: async () => {
      await navigate({ to: '/projects/$projectId/board', params: { projectId: ticket.project_id } })
      queries.removeQueries({ queryKey: keys.ticket(ticket.id) })
      await queries.invalidateQueries({ queryKey: keys.board(ticket.project_id) })
      toast.done('The ticket was deleted.')
    },
    onError: (error) => toast.failed('The ticket was not deleted.', error),
  })
  return (
    <Dialog
      open onClose={onClose} title="Delete the ticket?" about={`“${ticket.title}”, its log, messages and stored changes are deleted for good. Its branch and pull request stay where they are.`}
      actions={<><Button onClick={onClose}>Keep it</Button><Button kind="danger" sending={remove.isPending} onClick={() => remove.mutate()}>Delete</Button></>}
    >
      <p className="text-sm text-muted">If an agent works on it, it is stopped.</p>
    </Dialog>
  )
}
