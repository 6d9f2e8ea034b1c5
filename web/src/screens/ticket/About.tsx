/** What stands beside the timeline: the agent's to-do and plan, and what the ticket asks for. */
import type { TicketPage } from '@/api/contract'
import { cx } from '@/lib/cx'
import { Card, Icon, type IconName, IconButton, Prose, TimeAgo } from '@/ui'
import type { ReactNode } from 'react'
import { Done } from './Done'
import { Used } from './Used'

const marks: Record<string, { icon: IconName; word: string; className: string }> = {
  completed: { icon: 'done', word: 'Done', className: 'text-good' },
  in_progress: { icon: 'play', word: 'In progress', className: 'text-run' },
  pending: { icon: 'waiting', word: 'Not begun', className: 'text-muted' },
  cancelled: { icon: 'cancelled', word: 'Dropped', className: 'text-muted' },
}

export function About({ page, onEdit }: { page: TicketPage; onEdit: (() => void) | null }) {
  const { ticket, todo, plan } = page
  return (
    <div className="flex flex-col gap-4">
      {todo && todo.length > 0 && (
        <Card title={<>To-do <span className="font-normal text-muted">{todo.filter(({ status }) => status === 'completed').length} of {todo.length}</span></>}>
          <ul className="flex flex-col gap-1.5">
            {todo.map(({ content, status }, index) => {
              const mark = marks[status]
              return (
                <li key={index} className="flex gap-2 text-sm">
                  <Icon name={mark?.icon ?? 'info'} className={cx('mt-0.5', mark?.className ?? 'text-muted')} />
                  <span className="sr-only">{mark?.word ?? status}: </span><span className={cx('min-w-0', status === 'cancelled' && 'line-through')}>{content}</span>
                </li>
              )
            })}
          </ul>
        </Card>
      )}
      <Card title="What should be done" actions={onEdit && <IconButton icon="edit" label="Edit the ticket" size="small" onClick={onEdit} />}>
        {ticket.description ? <Prose text={ticket.description} /> : <p className="text-sm text-muted">Only the title says it.</p>}
      </Card>
      <Done projectId={ticket.project_id} ticketId={ticket.id} acceptance={page.acceptance} may={onEdit !== null} />
      <Used projectId={ticket.project_id} ticketId={ticket.id} isOver={ticket.status === 'completed'} may={onEdit !== null} />
      {plan && <Card title="Plan" actions={<span className="text-xs text-muted"><TimeAgo at={plan.at} /></span>}><Folded><Prose text={plan.text} /></Folded></Card>}
    </div>
  )
}

function Folded({ children }: { children: ReactNode }) {
  return <div className="max-h-80 overflow-y-auto" tabIndex={0} role="region" aria-label="Plan">{children}</div>
}
