/**
 * Loads again what events made old: together, and not more often than people can read. Cards are fetched one by one, because
 * a board can have thousands; many changed cards make it load the board.
 */
import { api } from '@/api/client'
import { ApiError } from '@/api/errors'
import { keys } from '@/api/keys'
import type { Board, Card, TicketPage } from '@/api/contract'
import type { QueryClient } from '@tanstack/react-query'
import type { LiveEvent } from './protocol'
import { type Key, targetsOf } from './targets'

/** Events that arrive together are handled together. */
const GATHER_MS = 200
/** The same list or card is loaded again at most this often. */
const LIST_EVERY_MS = 2_500
const CARD_EVERY_MS = 1_200
/** With more changed cards than this, the board is loaded. */
const CARDS_AT_ONCE = 25

export class Refresh {
  private readonly dirty = new Map<string, Job>()
  private readonly doneAt = new Map<string, number>()
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly queries: QueryClient) {
    document.addEventListener('visibilitychange', () => { if (!document.hidden) this.schedule(0) })
  }

  /** `cards`: the cards of changed tickets come by themselves. */
  push(events: LiveEvent[], cards: boolean): void {
    for (const event of events) {
      const targets = targetsOf(event)
      for (const key of targets.lists) this.dirty.set(JSON.stringify(key), { type: 'list', key })
      if (targets.board) this.dirty.set(JSON.stringify(keys.board(targets.board)), { type: 'list', key: keys.board(targets.board) })
      if (targets.card && !cards) this.dirty.set(`card ${targets.card.ticketId}`, { type: 'card', ...targets.card })
    }
    this.schedule(GATHER_MS)
  }

  /** Puts cards where they are shown. */
  put(cards: Card[]): void {
    for (const projectId of new Set(cards.map((card) => card.project_id))) {
      const changed = cards.filter((card) => card.project_id === projectId)
      this.queries.setQueryData<Board>(keys.board(projectId), (board) => board && changed.reduce(withCard, board))
    }
    for (const card of cards) {
      this.queries.setQueryData<TicketPage>(keys.ticketPage(card.id), (page) => page && { ...page, card })
    }
  }

  private schedule(ms: number): void {
    // A hidden tab loads nothing; it does when it is shown.
    if (document.hidden || this.dirty.size === 0) return
    this.timer ??= setTimeout(() => { this.timer = undefined; this.flush() }, ms)
  }

  private flush(): void {
    const now = Date.now()
    const cards: CardJob[] = []
    for (const [name, job] of this.dirty) {
      const every = job.type === 'card' ? CARD_EVERY_MS : LIST_EVERY_MS
      if (now - (this.doneAt.get(name) ?? 0) < every) continue
      this.dirty.delete(name)
      this.doneAt.set(name, now)
      if (job.type === 'card') cards.push(job)
      else void this.queries.invalidateQueries({ queryKey: job.key })
    }
    this.refreshCards(cards)
    if (this.doneAt.size > 5_000) this.doneAt.clear()
    this.schedule(GATHER_MS * 2)
  }

  private refreshCards(cards: CardJob[]): void {
    const shown = cards.filter((card) => this.isShown(keys.board(card.projectId)) || this.isShown(keys.ticketPage(card.ticketId)))
    for (const card of cards) {
      if (!this.isShown(keys.board(card.projectId))) void this.queries.invalidateQueries({ queryKey: keys.board(card.projectId), refetchType: 'none' })
    }
    if (shown.length > CARDS_AT_ONCE) {
      for (const projectId of new Set(shown.map((card) => card.projectId))) {
        void this.queries.invalidateQueries({ queryKey: keys.board(projectId) })
      }
      return
    }
    for (const card of shown) void refreshCard(this.queries, card.projectId, card.ticketId)
  }

  private isShown(key: Key): boolean {
    return this.queries.getQueryCache().find({ queryKey: key, exact: true })?.isActive() ?? false
  }
}

interface CardJob { type: 'card'; projectId: string; ticketId: string }
type Job = CardJob | { type: 'list'; key: Key }

/** Fetches a card and puts it where it is shown: on the board and on its ticket's page. */
export async function refreshCard(queries: QueryClient, projectId: string, ticketId: string): Promise<void> {
  try {
    const card = await api.get<Card>(`/api/projects/${projectId}/tickets/${ticketId}/card`)
    queries.setQueryData<Board>(keys.board(projectId), (board) => board && withCard(board, card))
    queries.setQueryData<TicketPage>(keys.ticketPage(ticketId), (page) => page && { ...page, card })
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) {
      queries.setQueryData<Board>(keys.board(projectId), (board) => board && { ...board, cards: board.cards.filter((card) => card.id !== ticketId) })
      return
    }
    // What is shown stays as it was and is marked as old; the next event or the connection's return loads it.
    await queries.invalidateQueries({ queryKey: keys.board(projectId), refetchType: 'none' })
  }
}

/** The board with this card in its place; an older copy than the one that is there changes nothing. */
export function withCard(board: Board, card: Card): Board {
  const at = board.cards.findIndex((other) => other.id === card.id)
  if (at < 0) return { ...board, cards: [...board.cards, card] }
  const cards = board.cards.slice()
  cards[at] = card
  return { ...board, cards }
}
