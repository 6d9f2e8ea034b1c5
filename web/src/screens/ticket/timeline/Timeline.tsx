/** What happens, live: only the rows on the screen exist; a reader who has scrolled up stays where they are. */
import type { Msg } from '@/api/contract'
import { took } from '@/lib/time'
import { Button, EmptyState, ErrorNote, Icon, Skeleton } from '@/ui'
import { useVirtualizer } from '@tanstack/react-virtual'
import { useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { fold, type Row, rowsOf, toolsOf, turnTitle } from './fold'
import { EntryRow, type RowContext, SilenceRow, TurnRow, VerdictRow } from './rows'
import { Scrubber } from './Scrubber'
import type { TimelineState, TimelineStore } from './store'

interface Props {
  projectId: string
  ticketId: string
  state: TimelineState
  store: TimelineStore
  messages: Msg[]
  /** Whether an agent works on it; only a finished run can be scrubbed. */
  running: boolean
  /** What stands there while nothing has happened. */
  empty: string
}

/** Older entries are loaded when this few rows are left above. */
const NEAR_THE_TOP = 8
const HEAD_PX = 32

export function Timeline({ projectId, ticketId, state, store, messages, running, empty }: Props) {
  const [toggled, setToggled] = useState<ReadonlyMap<string, boolean>>(new Map())
  const [upTo, setUpTo] = useState<number | null>(null)
  const entries = upTo === null ? state.entries : state.entries.slice(0, upTo)
  const blocks = useMemo(() => fold(entries), [entries])
  const rows = useMemo(() => rowsOf(blocks, (key) => toggled.get(key)), [blocks, toggled])
  const toggle = useCallback((key: string, open: boolean) => setToggled((now) => new Map(now).set(key, open)), [])
  const context = useMemo<RowContext>(() => ({ projectId, ticketId, messages, toggle, isOpen: (key) => toggled.get(key) ?? false }), [projectId, ticketId, messages, toggle, toggled])

  if (state.older === null) {
    return state.error ? <ErrorNote what="The log could not be loaded." error={state.error} onRetry={() => void store.refresh()} /> : <Skeleton lines={6} label="Loading the log" />
  }
  if (state.entries.length === 0) return <div className="grow"><EmptyState icon="agent" title="Nothing has happened yet">{empty}</EmptyState></div>
  return (
    <div className="flex min-h-0 grow flex-col gap-2">
      {!running && <Scrubber state={state} store={store} onShow={setUpTo} />}
      {state.error !== null && <ErrorNote what="Some entries could not be loaded." error={state.error} onRetry={() => void store.refresh()} />}
      <List rows={rows} context={context} state={state} store={store} />
    </div>
  )
}

function List({ rows, context, state, store }: { rows: Row[]; context: RowContext; state: TimelineState; store: TimelineStore }) {
  const scroller = useRef<HTMLDivElement>(null)
  const [atEnd, setAtEnd] = useState(true)
  const list = useVirtualizer({
    count: rows.length, getScrollElement: () => scroller.current, overscan: 10, anchorTo: 'end', followOnAppend: true, scrollEndThreshold: 60,
    estimateSize: (index) => (rows[index]?.type === 'verdict' ? 150 : rows[index]?.type === 'turn' ? 52 : 36),
    getItemKey: (index) => rows[index]?.key ?? index,
    onChange: (instance) => setAtEnd(instance.isAtEnd(60)),
  })
  const items = list.getVirtualItems()
  const firstIndex = items[0]?.index ?? 0
  useEffect(() => {
    if (firstIndex < NEAR_THE_TOP && state.older && !state.loadingOlder && !state.error) void store.loadOlder()
  }, [firstIndex, state.older, state.loadingOlder, state.error, store, rows.length])
  // It opens at what is newest.
  const begun = useRef(false)
  useEffect(() => {
    if (begun.current || rows.length === 0) return
    begun.current = true
    list.scrollToEnd()
  }, [rows.length, list])
  // Within a long turn, its head has scrolled away: a copy says where one is.
  const top = list.scrollOffset ?? 0
  const firstShown = rows[items.find((item) => item.end > top + HEAD_PX)?.index ?? 0]
  const above = firstShown?.type === 'entry' ? firstShown.turn : null
  return (
    <div className="relative flex min-h-0 grow flex-col">
      {above && (
        <button type="button" onClick={() => context.toggle(above.key, false)} className="absolute inset-x-0 top-0 z-10 flex h-8 items-center gap-2 rounded-md border bg-raised px-3 text-left text-xs shadow-card hover:bg-hover">
          <Icon name="down" className="text-muted" /><span className="font-semibold">{turnTitle(above)}</span>
          <span className="text-muted">{toolsOf(above)}</span><span className="grow" /><span className="text-muted">Fold</span>
        </button>
      )}
      <div ref={scroller} tabIndex={0} role="region" aria-label="Log" className="min-h-0 grow overflow-y-auto overscroll-contain pr-1 focus-visible:-outline-offset-2" style={{ overflowAnchor: 'none', clipPath: above ? `inset(${HEAD_PX}px 0 0 0)` : undefined }}>
        {state.loadingOlder && <p className="py-2 text-center text-xs text-muted">Earlier entries were asked for.</p>}
        {!state.older && <p className="py-2 text-center text-xs text-muted">This is the beginning.</p>}
        <div className="relative" style={{ height: list.getTotalSize() }}>
          {items.map((item) => {
            const row = rows[item.index]
            return row && (
              <div key={item.key} ref={list.measureElement} data-index={item.index} className="absolute inset-x-0 top-0 flow-root" style={{ transform: `translateY(${item.start}px)` }}>
                <RowView row={row} context={context} />
              </div>
            )
          })}
        </div>
      </div>
      {!atEnd && (
        <Button size="small" icon="down" className="absolute right-4 bottom-3 shadow-high" onClick={() => list.scrollToEnd()}>Newest</Button>
      )}
    </div>
  )
}

function RowView({ row, context }: { row: Row; context: RowContext }) {
  switch (row.type) {
    case 'turn':
      return <TurnRow turn={row.turn} open={row.open} context={context} />
    case 'verdict':
      return <VerdictRow entry={row.entry} verdict={row.verdict} answer={row.answer} context={context} />
    case 'silence':
      return <SilenceRow text={`${took(row.ms)} of silence`} />
    case 'entry':
      return <EntryRow entry={row.entry} inTurn={row.turn !== null} context={context} />
  }
}
