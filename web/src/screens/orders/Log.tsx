/** What happened to an order: what its agent's hooks report and what its runner logs, as it comes. */
import type { OrderDetail, OrderLog } from '@/api/contract'
import { cx } from '@/lib/cx'
import { clockTime, exactly } from '@/lib/time'
import { Button, buttonClass, Card, Icon, Output } from '@/ui'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'

/** So many are shown at first; the newest ones say what it does now. */
const AT_FIRST = 30

export function Log({ order }: { order: OrderDetail }) {
  const [all, setAll] = useState(false)
  const newest = order.logs.toReversed()
  const shown = all ? newest : newest.slice(0, AT_FIRST)
  return (
    <Card
      title="Log" actions={<Link to="/projects/$projectId/tickets/$ticketId" params={{ projectId: order.project_id, ticketId: order.id }} className={buttonClass('plain', 'small')}>All of it</Link>}
    >
      {newest.length === 0 && <p className="text-sm text-muted">Nothing was reported yet. What its agent does comes here by itself.</p>}
      <ol aria-label="What happened, the newest first" className="flex flex-col divide-y">{shown.map((entry) => <Entry key={entry.id} entry={entry} />)}</ol>
      {newest.length > shown.length && <div className="pt-3"><Button size="small" onClick={() => setAll(true)}>Show {newest.length - shown.length} earlier ones</Button></div>}
    </Card>
  )
}

function Entry({ entry }: { entry: OrderLog }) {
  const [open, setOpen] = useState(false)
  const more = entry.payload !== null && entry.payload !== undefined
  const text = (
    <>
      <time dateTime={entry.created_at} title={exactly(entry.created_at)} className="shrink-0 text-left text-xs whitespace-nowrap text-muted tabular">{clockTime(entry.created_at)}</time>
      <span className="flex min-w-0 flex-col text-left">
        <span className="font-mono text-2xs text-muted">{entry.event_type}</span>
        <span className={cx('text-sm break-words', !entry.success && 'text-bad')}>{entry.summary}</span>
      </span>
    </>
  )
  return (
    <li className="py-1.5">
      {more ? (
        <button type="button" aria-expanded={open} onClick={() => setOpen(!open)} className="-mx-2 flex w-[calc(100%+1rem)] items-baseline gap-3 rounded px-2 py-0.5 hover:bg-hover">
          {text}<Icon name="chevron" className={cx('ml-auto size-3.5 self-center text-muted transition-transform', open && 'rotate-90')} />
        </button>
      ) : <div className="flex items-baseline gap-3">{text}</div>}
      {open && more && <Output label={`${entry.event_type}: ${entry.summary}`} text={typeof entry.payload === 'string' ? entry.payload : JSON.stringify(entry.payload, null, 2)} className="mt-2 max-h-72" />}
    </li>
  )
}
