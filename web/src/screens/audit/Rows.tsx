/** The entries; only those that can be seen are in the page. */
import type { AuditEntry, AuditFilters } from '@/api/contract'
import { cx } from '@/lib/cx'
import { exactly } from '@/lib/time'
import { Button, Icon, Output, TimeAgo } from '@/ui'
import { Link } from '@tanstack/react-router'
import { useWindowVirtualizer } from '@tanstack/react-virtual'
import { useEffect, useLayoutEffect, useRef, useState } from 'react'
import { actorOf, kindName } from './rows'

interface Props {
  entries: AuditEntry[]
  older: boolean
  loading: boolean
  failed: boolean
  onOlder: () => void
  onFilter: (more: AuditFilters) => void
}

const ROW = 49

export function Rows({ entries, older, loading, failed, onOlder, onFilter }: Props) {
  const list = useRef<HTMLUListElement>(null)
  const [top, setTop] = useState(0)
  const [opened, setOpened] = useState<ReadonlySet<number>>(new Set())
  useLayoutEffect(() => setTop(list.current?.offsetTop ?? 0), [])
  const virtual = useWindowVirtualizer({ count: entries.length, estimateSize: () => ROW, overscan: 15, scrollMargin: top, getItemKey: (index) => entries[index]?.seq ?? index })
  const rows = virtual.getVirtualItems()
  const last = rows.at(-1)?.index ?? 0
  useEffect(() => { if (older && !loading && !failed && last >= entries.length - 30) onOlder() }, [older, loading, failed, last, entries.length, onOlder])
  const toggle = (seq: number) => setOpened((before) => {
    const next = new Set(before)
    if (!next.delete(seq)) next.add(seq)
    return next
  })
  return (
    <div className="rounded-lg border bg-surface">
      <ul ref={list} aria-label="Entries, the newest first" className="relative" style={{ height: virtual.getTotalSize() }}>
        {rows.map((row) => {
          const entry = entries[row.index]
          if (!entry) return null
          return (
            <li
              key={row.key} ref={virtual.measureElement} data-index={row.index} aria-setsize={older ? -1 : entries.length} aria-posinset={row.index + 1}
              className={cx('absolute inset-x-0 top-0', row.index > 0 && 'border-t')} style={{ transform: `translateY(${row.start - top}px)` }}
            >
              <Row entry={entry} open={opened.has(entry.seq)} onToggle={() => toggle(entry.seq)} onFilter={onFilter} />
            </li>
          )
        })}
      </ul>
      <p role="status" className="border-t px-4 py-3 text-xs text-muted">{loading ? 'Loading older entries.' : older ? 'There are older entries.' : 'This is the first one.'}</p>
    </div>
  )
}

function Row({ entry, open, onToggle, onFilter }: { entry: AuditEntry; open: boolean; onToggle: () => void; onFilter: (more: AuditFilters) => void }) {
  const looksBad = entry.kind.endsWith('.failed')
  return (
    <div>
      <button type="button" aria-expanded={open} onClick={onToggle} className="flex min-h-12 w-full items-center gap-3 px-4 py-2 text-left text-sm hover:bg-hover">
        <Icon name="chevron" className={cx('size-3.5 text-muted transition-transform', open && 'rotate-90')} />
        <span className={cx('min-w-0 grow', looksBad && 'text-bad')}>{entry.sentence}</span>
        <TimeAgo at={entry.at} className="shrink-0 text-xs whitespace-nowrap text-muted tabular" />
      </button>
      {open && (
        <div className="flex flex-col gap-3 border-t border-dashed px-4 py-3 text-sm">
          <p className="text-muted">{kindName(entry.kind)}, by {entry.actor.name} ({entry.actor.kind.replaceAll('_', ' ')}), {exactly(entry.at)}, number {entry.seq}</p>
          {Object.keys(entry.data).length > 0 && <Output label={`Details of number ${entry.seq}`} text={JSON.stringify(entry.data, null, 2)} className="max-h-60" />}
          <div className="flex flex-wrap gap-2">
            {entry.project_id && entry.ticket_id && <Link to="/projects/$projectId/tickets/$ticketId" params={{ projectId: entry.project_id, ticketId: entry.ticket_id }} className="self-center underline">Open the ticket</Link>}
            <Button size="small" onClick={() => onFilter({ actor: actorOf(entry.actor) })}>Only {entry.actor.name}</Button>
            <Button size="small" onClick={() => onFilter({ kind: entry.kind })}>Only this kind</Button>
            {entry.ticket_id && <Button size="small" onClick={() => onFilter({ ticket_id: entry.ticket_id ?? '' })}>Only this ticket</Button>}
          </div>
        </div>
      )}
    </div>
  )
}
