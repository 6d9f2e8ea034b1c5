import { asCurl } from '@/api/client'
import type { Card } from '@/api/contract'
import type { Ticket } from '@/api/types'
import { canRetry, canRun, pendingText, requestOf, type TicketAction } from '@/tickets/actions'
import { Diffstat } from '@/tickets/Diffstat'
import { Button, buttonClass, canStop, copyWithToast, Icon, IconButton, Menu, type MenuItem, StateBadge, TimeAgo } from '@/ui'
import { Link } from '@tanstack/react-router'

interface Props {
  ticket: Ticket
  card: Card
  pending: TicketAction | null
  mayChange: boolean
  columns: { id: string; title: string }[]
  act: (action: TicketAction) => void
  onRetry: () => void
  onEdit: () => void
  onDelete: () => void
}

export function Header({ ticket, card, pending, mayChange, columns, act, onRetry, onEdit, onDelete }: Props) {
  const busy = pending !== null
  return (
    <header className="flex flex-col gap-1.5">
      <div className="flex items-start gap-2">
        <Link to="/projects/$projectId/board" params={{ projectId: card.project_id }} aria-label="Back to the board" title="Back to the board" className="-ml-2 inline-flex size-9 shrink-0 items-center justify-center rounded-md text-muted hover:bg-hover">
          <Icon name="left" />
        </Link>
        <h1 className="min-w-0 grow pt-1 text-lg leading-7">{ticket.title}</h1>
        {mayChange && <TicketMenu card={card} busy={busy} columns={columns} act={act} onEdit={onEdit} onDelete={onDelete} />}
      </div>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1.5">
        {/* Announced when it changes; the log below is not. */}
        <span role="status" aria-live="polite" className="inline-flex"><StateBadge state={card.state} /></span>
        <span className="text-xs text-muted">since <TimeAgo at={card.state.since} /></span>
        {ticket.priority !== 'medium' && <span className="text-xs font-medium text-muted">{ticket.priority === 'high' ? 'High' : 'Low'} priority</span>}
        {card.diffstat && <Diffstat stat={card.diffstat} files />}
        {pending && <span className="text-xs text-muted italic">{pendingText(pending)}</span>}
        <span className="grow" />
        {card.pr_url && (
          <a href={card.pr_url} target="_blank" rel="noopener noreferrer" className={buttonClass('plain', 'small')}>
            <Icon name="pr" className="size-3.5" />Pull request{card.pr_number !== null && ` #${card.pr_number}`}<Icon name="external" className="size-3" />
          </a>
        )}
        {mayChange && canRetry(card) && <Button size="small" kind="primary" icon="retry" disabled={busy} onClick={onRetry}>Try again</Button>}
        {mayChange && canRun(card) && <Button size="small" kind="primary" icon="play" disabled={busy} onClick={() => act({ kind: 'run', card })}>Run</Button>}
        {mayChange && canStop(card.state.word) && <Button size="small" kind="danger" icon="stop" disabled={busy} onClick={() => act({ kind: 'stop', card })}>Stop</Button>}
      </div>
    </header>
  )
}

type MenuProps = Pick<Props, 'card' | 'columns' | 'act' | 'onEdit' | 'onDelete'> & { busy: boolean }

function TicketMenu({ card, busy, columns, act, onEdit, onDelete }: MenuProps) {
  const moves: MenuItem[] = columns
    .filter(({ id }) => id !== card.column_id)
    .map(({ id, title }) => ({ label: `Move to ${title}`, icon: 'board', disabled: busy, onSelect: () => act({ kind: 'move', card, to: id, toTitle: title }) }))
  const main: [string, TicketAction][] = []
  if (canRetry(card)) main.push(['Try again', { kind: 'retry', card, note: '' }])
  if (canRun(card)) main.push(['Run', { kind: 'run', card }])
  if (canStop(card.state.word)) main.push(['Stop', { kind: 'stop', card }])
  const copies: MenuItem[] = main.map(([label, action]) => {
    const { method, path, body } = requestOf(action)
    return { label: `Copy “${label}” as curl`, icon: 'copy', onSelect: () => void copyWithToast(asCurl(method, path, body), 'The command was') }
  })
  return (
    <Menu
      trigger={<IconButton icon="more" label="What to do with this ticket" />}
      groups={[[{ label: 'Edit', icon: 'edit', shortcut: 'e', onSelect: onEdit }], moves, copies, [{ label: 'Delete', icon: 'close', danger: true, onSelect: onDelete }]]}
    />
  )
}
