/** The board as it is shown: the server's cards, filtered, with unconfirmed moves laid over them. Pure. */
import type { Board, Card, Word } from '@/api/contract'
import type { TicketAction } from '@/tickets/actions'
import { IN_PROGRESS } from '@/tickets/actions'

export interface ShownCard { card: Card; pending: TicketAction | null }
export interface ShownColumn { id: string; title: string; cards: ShownCard[] }
export type StateFilter = 'all' | 'person' | 'running' | 'waiting' | 'failed' | 'silent'

export const stateFilters: { id: StateFilter; title: string }[] = [
  { id: 'all', title: 'All states' },
  { id: 'person', title: 'Needs you' },
  { id: 'running', title: 'Running' },
  { id: 'waiting', title: 'Waiting' },
  { id: 'failed', title: 'Failed' },
  { id: 'silent', title: 'Silent' },
]

const ended = new Set<Word>(['backlog', 'waiting', 'in_review', 'done', 'failed', 'cancelled'])

function fitsState(card: Card, filter: StateFilter): boolean {
  switch (filter) {
    case 'all':
      return true
    case 'person':
      return card.needs_person
    case 'running':
      return !ended.has(card.state.word)
    default:
      return card.state.word === filter
  }
}

/** Where a card stands, with its open move. */
function columnOf(card: Card, pending: TicketAction | null): string {
  if (pending?.kind === 'move') return pending.to
  if (pending?.kind === 'run' || pending?.kind === 'retry') return IN_PROGRESS
  return card.column_id
}

export function shownColumns(board: Board, pending: Map<string, TicketAction>, find: string, state: StateFilter): ShownColumn[] {
  const words = find.toLowerCase().split(/\s+/).filter(Boolean)
  const columns = board.columns.toSorted((a, b) => a.order - b.order).map(({ id, title }): ShownColumn => ({ id, title, cards: [] }))
  const byId = new Map(columns.map((column) => [column.id, column]))
  for (const card of board.cards) {
    if (!fitsState(card, state)) continue
    if (words.length > 0) {
      const text = `${card.title} ${card.pr_number === null ? '' : `#${card.pr_number}`}`.toLowerCase()
      if (!words.every((word) => text.includes(word))) continue
    }
    const open = pending.get(card.id) ?? null
    // A card of a column that the board does not have is not lost: it stands in the first one.
    const column = byId.get(columnOf(card, open)) ?? columns[0]
    column?.cards.push({ card, pending: open })
  }
  for (const column of columns) column.cards.sort((a, b) => (a.card.position_key < b.card.position_key ? -1 : a.card.position_key > b.card.position_key ? 1 : 0))
  return columns
}

export interface Place { column: number; index: number }

export function placeOf(columns: ShownColumn[], id: string | null): Place | null {
  if (id === null) return null
  for (const [column, { cards }] of columns.entries()) {
    const index = cards.findIndex(({ card }) => card.id === id)
    if (index >= 0) return { column, index }
  }
  return null
}

/** The card that a key leads to: down, up, or to the same height in the next column that has cards. */
export function neighbour(columns: ShownColumn[], from: Place | null, key: 'j' | 'k' | 'h' | 'l'): ShownCard | null {
  if (!from) return columns.find((column) => column.cards.length > 0)?.cards[0] ?? null
  const here = columns[from.column]
  if (!here) return null
  if (key === 'j') return here.cards[Math.min(from.index + 1, here.cards.length - 1)] ?? null
  if (key === 'k') return here.cards[Math.max(from.index - 1, 0)] ?? null
  const step = key === 'l' ? 1 : -1
  for (let at = from.column + step; at >= 0 && at < columns.length; at += step) {
    const { cards } = columns[at] ?? { cards: [] }
    if (cards.length > 0) return cards[Math.min(from.index, cards.length - 1)] ?? null
  }
  return here.cards[from.index] ?? null
}
