/** What the models of a ticket used, what that cost as far as it is known, and what they may still use; before that, what like tickets used. */
import { api } from '@/api/client'
import { keys } from '@/api/keys'
import type { BudgetView, ExpectedUsage, TicketUsage } from '@/api/types'
import { plural } from '@/lib/time'
import { Budget, Left } from '@/parts/Budget'
import { expectedOf } from '@/parts/expected'
import { Button, Card, Dialog, IconButton } from '@/ui'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'

/** `isOver`: the work on it has ended, so nothing is to be expected. */
export function Used({ projectId, ticketId, isOver, may }: { projectId: string; ticketId: string; isOver: boolean; may: boolean }) {
  const [editing, setEditing] = useState(false)
  const path = `/api/projects/${projectId}/tickets/${ticketId}/budget`
  const usage = useQuery({ queryKey: keys.usage(ticketId), queryFn: ({ signal }) => api.get<TicketUsage>(`/api/projects/${projectId}/tickets/${ticketId}/usage`, { signal }) })
  const budget = useQuery({ queryKey: keys.budget(path), queryFn: ({ signal }) => api.get<BudgetView>(path, { signal }) })
  const total = usage.data?.total
  const used = total !== undefined && total.calls > 0
  const limited = budget.data !== undefined && budget.data.limits.length > 0
  const expected = useQuery({
    queryKey: keys.expectedUsage(ticketId),
    queryFn: ({ signal }) => api.get<ExpectedUsage>(`/api/projects/${projectId}/tickets/${ticketId}/usage/expected`, { signal }),
    enabled: usage.data !== undefined && !used && !isOver,
  })
  const words = !used && !isOver && expected.data ? expectedOf(expected.data) : null
  if (!used && !limited && !may && !words) return null
  return (
    <Card title="What the models used" actions={may && <IconButton icon="edit" label="Edit the budget" size="small" onClick={() => setEditing(true)} />}>
      {used ? (
        <p className="text-sm tabular">
          {plural(total.tokens, 'token', 'tokens')} in {plural(total.calls, 'call', 'calls')}
          {typeof total.cost_usd === 'number' && `, ${total.cost_unknown.length > 0 ? 'more than ' : ''}$${total.cost_usd.toFixed(2)}`}
        </p>
      ) : <p className="text-sm text-muted">Nothing yet.</p>}
      {words && <p className="mt-1 text-xs text-muted">{words}</p>}
      {used && total.cost_unknown.length > 0 && <p className="mt-1 text-xs text-muted">The cost of {total.cost_unknown.join(', ')} is not known: MODEL_PRICES in the settings has no price, or the model’s server counts no tokens.</p>}
      {budget.data && <div className="mt-2"><Left view={budget.data} /></div>}
      {editing && (
        <Dialog open onClose={() => setEditing(false)} title="Budget" wide actions={<Button onClick={() => setEditing(false)}>Close</Button>}>
          <Budget path={path} levels={['attempt', 'ticket']} may={may} about="This counts in place of what the project says for each ticket." />
        </Dialog>
      )}
    </Card>
  )
}
