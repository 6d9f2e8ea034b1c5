import { asCurl } from '@/api/client'
import { cleanOutput } from '@/lib/text'
import { cx } from '@/lib/cx'
import { canRetry, canRun, pendingText, requestOf, type TicketAction } from '@/tickets/actions'
import { Diffstat } from '@/tickets/Diffstat'
import { Button, canStop, copyWithToast, Icon, IconButton, Menu, type MenuItem, StateBadge, TimeAgo } from '@/ui'
import { Link } from '@tanstack/react-router'
import { memo, type PointerEvent } from 'react'
import type { ShownCard } from './model'

export interface CardCommands {
  act: (action: TicketAction) => void
  retry: (shown: ShownCard) => void
  move: (shown: ShownCard) => void
  focused: (id: string) => void
  grab: (event: PointerEvent<HTMLElement>, shown: ShownCard) => void
}

interface Props {
  shown: ShownCard
  mayChange: boolean
  /** The one card of its column that Tab reaches; the others are reached with j and k. */
  reachable: boolean
  dragged: boolean
  commands: CardCommands
}

export const TicketCard = memo(function TicketCard({ shown, mayChange, reachable, dragged, commands }: Props) {
  const { card, pending } = shown
  const { state } = card
  return (
    <article
      data-card={card.id} onPointerDown={mayChange ? (event) => commands.grab(event, shown) : undefined}
      className={cx(
        'relative flex flex-col gap-1.5 select-none rounded-lg border bg-surface p-3 shadow-card focus-within:border-accent hover:border-line-strong/70',
        pending && 'border-dashed border-line-strong', dragged && 'opacity-40', card.needs_person && 'shadow-[inset_4px_0_0_var(--c-accent)]',
      )}
    >
      <div className="flex items-start gap-1">
        <h3 className="min-w-0 grow text-sm leading-5 font-semibold">
          <Link
            to="/projects/$projectId/tickets/$ticketId" params={{ projectId: card.project_id, ticketId: card.id }} preload={false}
            data-card-link={card.id} tabIndex={reachable ? 0 : -1} draggable={false} onFocus={() => commands.focused(card.id)}
            className="text-ink no-underline after:absolute after:inset-0 after:rounded-lg focus-visible:outline-none focus-visible:after:outline-2 focus-visible:after:outline-focus"
          >
            {card.title}
          </Link>
        </h3>
        {mayChange && <CardMenu shown={shown} commands={commands} reachable={reachable} />}
      </div>
      <div className="flex flex-wrap items-center gap-1.5">
        <StateBadge state={state} />
        {card.needs_person && <span className="sr-only">Needs you</span>}
        {card.priority === 'high' && <span className="inline-flex items-center gap-0.5 text-xs font-medium text-bad"><Icon name="up" className="size-3" />High</span>}
        {card.priority === 'low' && <span className="text-xs text-muted">Low</span>}
        {card.attempt !== null && card.attempt > 1 && <span className="text-xs text-muted">attempt {card.attempt}</span>}
      </div>
      <CardText shown={shown} mayChange={mayChange} commands={commands} />
      {pending && <p className="text-xs font-medium text-muted italic">{pendingText(pending)}</p>}
      <CardFoot shown={shown} />
    </article>
  )
}, same)

/** The board is grouped anew with every change; a card is drawn anew only when it is another one. */
function same(a: Props, b: Props): boolean {
  return a.shown.card === b.shown.card && a.shown.pending === b.shown.pending && a.mayChange === b.mayChange && a.reachable === b.reachable && a.dragged === b.dragged && a.commands === b.commands
}

/** One thought: why it waits or failed, or the last thing that was heard. */
function CardText({ shown: { card, pending }, mayChange, commands }: { shown: ShownCard; mayChange: boolean; commands: CardCommands }) {
  const { state, last_line: line } = card
  const end = state.why?.action
  if (state.word === 'waiting' || state.word === 'failed' || state.word === 'silent' || state.word === 'stopping') {
    return (
      <div className="flex flex-col items-start gap-1.5">
        <p className="line-clamp-3 text-xs text-muted">{state.why?.sentence ?? state.sentence}</p>
        {end && mayChange && !pending && (
          <Button size="small" className="relative z-10" onClick={() => commands.act({ kind: 'end_wait', card })}>{end.label}</Button>
        )}
      </div>
    )
  }
  if (!line) return null
  return <p className="truncate font-mono text-2xs text-muted" title={cleanOutput(line.text)}>{cleanOutput(line.text)}</p>
}

function CardFoot({ shown: { card } }: { shown: ShownCard }) {
  const life = card.last_sign_of_life_at
  if (!life && !card.diffstat && !card.pr_url) return null
  return (
    <div className="flex flex-wrap items-center gap-x-3 gap-y-1 text-xs text-muted">
      {life && (
        <span title={`Last sign of life${card.worker_id ? ` from ${card.worker_name ?? card.worker_id}` : ''}`} className="inline-flex items-center gap-1">
          <span className="sr-only">Last sign of life</span><Icon name="waiting" className="size-3" /><TimeAgo at={life} />
        </span>
      )}
      {card.diffstat && <Diffstat stat={card.diffstat} />}
      {card.pr_url && (
        <a href={card.pr_url} target="_blank" rel="noopener noreferrer" className="relative z-10 inline-flex items-center gap-1" tabIndex={-1} draggable={false}>
          <Icon name="pr" className="size-3" />{card.pr_number === null ? 'Pull request' : `#${card.pr_number}`}
        </a>
      )}
    </div>
  )
}

function CardMenu({ shown, commands, reachable }: { shown: ShownCard; commands: CardCommands; reachable: boolean }) {
  const { card, pending } = shown
  const main: TicketAction | null = canRetry(card) ? { kind: 'retry', card, note: '' } : canRun(card) ? { kind: 'run', card } : canStop(card.state.word) ? { kind: 'stop', card } : null
  const doing: MenuItem[] = []
  if (canRetry(card)) doing.push({ label: 'Try again', icon: 'retry', shortcut: 'r', onSelect: () => commands.retry(shown) })
  if (canRun(card)) doing.push({ label: 'Run', icon: 'play', shortcut: 'r', onSelect: () => commands.act({ kind: 'run', card }) })
  if (canStop(card.state.word)) doing.push({ label: 'Stop', icon: 'stop', shortcut: 'x', danger: true, onSelect: () => commands.act({ kind: 'stop', card }) })
  doing.push({ label: 'Move', icon: 'board', shortcut: 'm', onSelect: () => commands.move(shown) })
  const copy: MenuItem[] = []
  if (main) {
    const { method, path, body } = requestOf(main)
    copy.push({ label: 'Copy as curl', icon: 'copy', onSelect: () => void copyWithToast(asCurl(method, path, body), 'The command was') })
  }
  return (
    <Menu
      trigger={<IconButton icon="more" label={`What to do with ${card.title}`} size="small" tabIndex={reachable ? 0 : -1} className="relative z-10 -mt-1 -mr-1.5" />}
      groups={[doing.map((item) => ({ ...item, disabled: pending !== null })), copy]}
    />
  )
}
