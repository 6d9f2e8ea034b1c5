import { expect, it } from 'vitest'
import { keys } from '@/api/keys'
import { targetsOf } from './targets'

const event = (kind: string, more: object = {}) => ({ seq: 1, kind, actor: 'local', data: {}, created_at: '', project_id: 'p', ticket_id: 't', ...more })

it('a line of the log makes one card, its work order and the end of its log old, and nothing else', () => {
  expect(targetsOf(event('log.appended', { data: { kind: 'tool' } }))).toEqual({ lists: [keys.logEnd('t'), keys.order('t')], card: { projectId: 'p', ticketId: 't' }, board: null })
})

it('a new to-do makes the ticket’s page old too', () => {
  expect(targetsOf(event('log.appended', { data: { kind: 'todo' } })).lists).toContainEqual(keys.ticketPage('t'))
})

it('a deleted ticket changes the board, since its card can’t be fetched', () => {
  expect(targetsOf(event('ticket.deleted'))).toMatchObject({ card: null, board: 'p' })
})

it('a heartbeat makes no board old', () => {
  expect(targetsOf(event('coordinator.seen', { project_id: null, ticket_id: null })).lists).not.toContainEqual(keys.boards)
  expect(targetsOf(event('fleet.stopped', { project_id: null, ticket_id: null })).lists).toContainEqual(keys.boards)
})

it('kinds that this page does not know make their ticket old', () => {
  const { lists, card } = targetsOf(event('checkpoint.opened'))
  expect(lists).toContainEqual(keys.ticketPage('t'))
  expect(card).not.toBeNull()
})

it('what happens to a pull request makes its panel and the deliveries old', () => {
  for (const kind of ['pull_request.changed', 'comment.received']) {
    const { lists } = targetsOf(event(kind))
    expect(lists).toContainEqual(keys.review('t'))
    expect(lists).toContainEqual(keys.deliveries)
    expect(lists).toContainEqual(keys.inbox)
  }
  expect(targetsOf(event('credential.created', { ticket_id: null })).lists).toContainEqual(keys.credentials)
  expect(targetsOf(event('secret.set', { ticket_id: null })).lists).toContainEqual(keys.secrets('p'))
})

it('a checkpoint that opens or is decided makes the Inbox old', () => {
  for (const kind of ['checkpoint.opened', 'checkpoint.decided']) expect(targetsOf(event(kind)).lists).toContainEqual(keys.inbox)
})

it('what happens to a job makes orders and runs of schedules old', () => {
  for (const kind of ['job.claimed', 'attempt.ended', 'work_order.changed']) {
    const { lists } = targetsOf(event(kind))
    for (const key of [keys.orderLists, keys.runs, keys.order('t')]) expect(lists).toContainEqual(key)
  }
  expect(targetsOf(event('schedule.fired', { ticket_id: null })).lists).toContainEqual(keys.schedules)
})
