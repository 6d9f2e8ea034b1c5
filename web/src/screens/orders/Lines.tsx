/** The lines of an order. They are set done by its agent's hooks, and by people here. */
import { api } from '@/api/client'
import type { LineSet, OrderDetail, WorkOrderLine } from '@/api/contract'
import { keys } from '@/api/keys'
import { isOpen, progress } from '@/parts/orders'
import { Badge, Card, toast } from '@/ui'
import { useMutation, useMutationState, useQueryClient } from '@tanstack/react-query'
import { useId } from 'react'

interface Tick { line: WorkOrderLine; status: 'completed' | 'pending' }

export function Lines({ order, may }: { order: OrderDetail; may: boolean }) {
  const queries = useQueryClient()
  const mutationKey = ['order-line', order.id]
  const tick = useMutation({
    mutationKey,
    mutationFn: ({ line, status }: Tick) => api.post<LineSet>(`/api/v1/work-orders/${order.id}/lines/${encodeURIComponent(line.id)}`, { status }),
    onSuccess: async () => { void queries.invalidateQueries({ queryKey: keys.orderLists }); await queries.invalidateQueries({ queryKey: keys.order(order.id), exact: true }) },
    onError: (error, { line }) => toast.failed(`“${line.title}” stays as it was.`, error),
  })
  const open = useMutationState({ filters: { mutationKey, status: 'pending' }, select: (mutation) => mutation.state.variables as Tick })
  return (
    <Card title="Lines" actions={<span className="text-xs text-muted tabular">{progress(order.lines)}</span>}>
      <ul className="flex flex-col gap-1">
        {order.lines.map((line) => (
          <Line key={line.id} line={line} may={may} waiting={open.find((one) => one.line.id === line.id) ?? null} onTick={(status) => tick.mutate({ line, status })} />
        ))}
      </ul>
    </Card>
  )
}

function Line({ line, may, waiting, onTick }: { line: WorkOrderLine; may: boolean; waiting: Tick | null; onTick: (status: Tick['status']) => void }) {
  const id = useId()
  const done = line.status === 'completed'
  return (
    <li className="flex items-start gap-3 py-1.5">
      <input
        id={id} type="checkbox" checked={waiting ? waiting.status === 'completed' : done} disabled={!may || waiting !== null} aria-describedby={line.definition_of_done ? `${id}-done` : undefined}
        onChange={(event) => onTick(event.target.checked ? 'completed' : 'pending')} className="mt-0.5 size-5 shrink-0 accent-accent"
      />
      <div className="flex min-w-0 flex-col gap-0.5">
        <label htmlFor={id} className="text-sm font-medium break-words">{line.title}</label>
        {line.definition_of_done && <p id={`${id}-done`} className="text-xs whitespace-pre-wrap text-muted">Done when: {line.definition_of_done}</p>}
      </div>
      <span className="ml-auto shrink-0 text-xs text-muted">
        {waiting ? 'Saving…' : line.status === 'in_progress' ? <Badge tone="run" icon="turn">In progress</Badge> : line.status === 'skipped' ? <Badge tone="quiet" icon="minus">Skipped</Badge> : isOpen(line) ? 'open' : 'done'}
      </span>
    </li>
  )
}
