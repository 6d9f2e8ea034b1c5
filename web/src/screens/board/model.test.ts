import { describe, expect, it } from 'vitest'
import type { Board, Card, Word } from '@/api/contract'
import { neighbour, placeOf, shownColumns } from './model'

const card = (id: string, column_id: string, word: Word = 'backlog', more: Partial<Card> = {}) =>
  ({ id, column_id, title: `Ticket ${id}`, position_key: id, pr_number: null, needs_person: false, state: { word, turn: null, since: '', sentence: '', why: null }, ...more }) as Card
const board = (cards: Card[]): Board => ({
  project_id: 'p', position: '', summary: { need_person: 0, running: 0, waiting: 0, hosts: 0, stopped: false }, cards,
  columns: [{ id: 'done', title: 'Done', order: 2 }, { id: 'backlog', title: 'Backlog', order: 0 }, { id: 'in_progress', title: 'In Progress', order: 1 }],
})
const ids = (columns: ReturnType<typeof shownColumns>) => columns.map(({ id, cards }) => `${id}: ${cards.map((shown) => shown.card.id).join(' ')}`)

describe('the board', () => {
  it('has the columns in their order, and loses no card', () => {
    expect(ids(shownColumns(board([card('b', 'backlog'), card('a', 'backlog'), card('x', 'nowhere')]), new Map(), '', 'all'))).toEqual(['backlog: a b x', 'in_progress: ', 'done: '])
  })

  it('shows an open move where it leads, and the card back where it was when that is gone', () => {
    const one = card('a', 'backlog')
    const open = new Map([['a', { kind: 'move' as const, card: one, to: 'done', toTitle: 'Done' }]])
    expect(ids(shownColumns(board([one]), open, '', 'all'))[2]).toBe('done: a')
    expect(ids(shownColumns(board([one]), new Map(), '', 'all'))[0]).toBe('backlog: a')
  })

  it('finds by words, number of the pull request, and state', () => {
    const cards = [card('a', 'backlog', 'backlog', { title: 'Rate limit' }), card('b', 'in_progress', 'turn', { pr_number: 42 }), card('c', 'in_progress', 'failed', { needs_person: true })]
    const found = (find: string, state: Parameters<typeof shownColumns>[3] = 'all') => shownColumns(board(cards), new Map(), find, state).flatMap((column) => column.cards.map((shown) => shown.card.id))
    expect(found('LIMIT rate')).toEqual(['a'])
    expect(found('#42')).toEqual(['b'])
    expect([found('', 'running'), found('', 'failed'), found('', 'person')]).toEqual([['b'], ['c'], ['c']])
  })

  it('keys go to the neighbour, over empty columns', () => {
    const columns = shownColumns(board([card('a', 'backlog'), card('b', 'backlog'), card('d', 'done')]), new Map(), '', 'all')
    const go = (id: string | null, key: 'j' | 'k' | 'h' | 'l') => neighbour(columns, placeOf(columns, id), key)?.card.id
    expect([go(null, 'j'), go('a', 'j'), go('b', 'j'), go('b', 'k'), go('b', 'l'), go('d', 'h'), go('d', 'l')]).toEqual(['a', 'b', 'b', 'a', 'd', 'a', 'd'])
  })
})
