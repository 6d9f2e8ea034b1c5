/** A column: a list of which only what is on the screen exists, so that thousands of cards cost nothing. */
import { cx } from '@/lib/cx'
import { useVirtualizer } from '@tanstack/react-virtual'
import { memo, useEffect, useRef } from 'react'
import type { ShownColumn } from './model'
import { type CardCommands, TicketCard } from './TicketCard'

export interface ColumnHandle { focusCard: (index: number) => void }

interface Props {
  column: ShownColumn
  focusedId: string | null
  draggedId: string | null
  isTarget: boolean
  mayChange: boolean
  filtered: boolean
  commands: CardCommands
  register: (id: string, handle: ColumnHandle | null) => void
  heading: boolean
}

const GAP = 8

export const Column = memo(function Column({ column, focusedId, draggedId, isTarget, mayChange, filtered, commands, register, heading }: Props) {
  const scroller = useRef<HTMLDivElement>(null)
  const { cards } = column
  const list = useVirtualizer({
    count: cards.length, getScrollElement: () => scroller.current, estimateSize: () => 118, overscan: 5, gap: GAP, paddingEnd: heading ? 16 : 72,
    getItemKey: (index) => cards[index]?.card.id ?? index,
  })
  const pending = useRef<string | null>(null)
  const focusPending = () => {
    const link = pending.current && scroller.current?.querySelector<HTMLElement>(`[data-card-link="${CSS.escape(pending.current)}"]`)
    if (!link) return
    pending.current = null
    link.focus({ preventScroll: true })
  }
  // The card may exist only after the list has scrolled to it.
  useEffect(focusPending)
  useEffect(() => {
    register(column.id, {
      focusCard: (index) => {
        pending.current = cards[index]?.card.id ?? null
        list.scrollToIndex(index, { align: 'auto' })
        focusPending()
      },
    })
    return () => register(column.id, null)
  })
  const reachable = cards.some(({ card }) => card.id === focusedId) ? focusedId : cards[0]?.card.id
  return (
    <section aria-label={column.title} data-column={column.id} className={cx('flex min-h-0 min-w-60 grow basis-0 flex-col rounded-lg bg-sunken', isTarget && 'outline-2 outline-accent')}>
      {!heading && <h2 className="sr-only">{column.title}</h2>}
      {heading && (
        <h2 className="flex items-center gap-2 px-3 pt-3 pb-2 text-sm">
          {column.title}<span className="font-normal text-muted tabular">{cards.length.toLocaleString('en')}</span>
        </h2>
      )}
      <div ref={scroller} className={cx('min-h-0 grow overflow-y-auto px-2', !heading && 'pt-2')}>
        {cards.length === 0 ? <p className="px-1 py-3 text-xs text-muted">{filtered ? 'Nothing here fits the filter.' : 'Nothing here.'}</p> : (
          <ul className="relative" style={{ height: list.getTotalSize() }}>
            {list.getVirtualItems().map((item) => {
              const shown = cards[item.index]
              return shown && (
                <li
                  key={item.key} ref={list.measureElement} data-index={item.index} aria-setsize={cards.length} aria-posinset={item.index + 1}
                  className="absolute inset-x-0 top-0" style={{ transform: `translateY(${item.start}px)` }}
                >
                  <TicketCard shown={shown} mayChange={mayChange} reachable={shown.card.id === reachable} dragged={shown.card.id === draggedId} commands={commands} />
                </li>
              )
            })}
          </ul>
        )}
      </div>
    </section>
  )
})
