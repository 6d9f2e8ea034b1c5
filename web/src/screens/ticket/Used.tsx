/** What the models of a ticket used, and what that cost as far as it is known. */
import { api } from '@/api/client'
import { keys } from '@/api/keys'
import type { TicketUsage } from '@/api/types'
import { plural } from '@/lib/time'
import { Card } from '@/ui'
import { useQuery } from '@tanstack/react-query'

export function Used({ projectId, ticketId }: { projectId: string; ticketId: string }) {
  const usage = useQuery({ queryKey: keys.usage(ticketId), queryFn: ({ signal }) => api.get<TicketUsage>(`/api/projects/${projectId}/tickets/${ticketId}/usage`, { signal }) })
  const total = usage.data?.total
  if (!total || total.calls === 0) return null
  return (
    <Card title="What the models used">
      <p className="text-sm tabular">
        {plural(total.tokens, 'token', 'tokens')} in {plural(total.calls, 'call', 'calls')}
        {typeof total.cost_usd === 'number' && `, ${total.cost_unknown.length > 0 ? 'more than ' : ''}$${total.cost_usd.toFixed(2)}`}
      </p>
      {total.cost_unknown.length > 0 && <p className="mt-1 text-xs text-muted">The cost of {total.cost_unknown.join(', ')} is not known: MODEL_PRICES in the settings has no price, or the model’s server counts no tokens.</p>}
    </Card>
  )
}
