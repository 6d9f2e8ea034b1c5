import assert from 'node:assert/strict'
import { inspectAll } from '../browser.mjs'
import { signedIn } from '../people.mjs'

/** A ticket fails for good; from the Inbox it is retried with a note, and the note is what helps. */
async function retriedFromTheInbox(world) {
  const { system } = world
  const path = `/api/projects/${world.project.id}/tickets`
  const ticket = await system.call('POST', path, { title: 'Translate the manual', column_id: 'in_progress' })
  await system.until('the ticket has failed', async () => (await system.call('GET', `${path}/${ticket.id}`)).status === 'failed')
  const visitor = await signedIn(world)
  const page = await visitor.open('/inbox')
  await page.getByText('Translate the manual').first().click()
  await page.getByText('There is no manual in this repository').first().waitFor()
  await inspectAll(page, 'inbox-failed', visitor)
  await page.keyboard.press('Shift+R')
  await page.getByRole('textbox', { name: /note/i }).fill('The manual is README.md.')
  await page.getByRole('button', { name: 'Retry with this note' }).click()
  await system.until('the ticket is in review', async () => (await system.call('GET', `${path}/${ticket.id}`)).column_id === 'in_review')
  await page.getByText(/pull request/i).first().waitFor()
  await visitor.leave()
}

/** A move that the server refuses snaps back, and says why. */
async function aMoveThatFails(world) {
  const { system } = world
  const visitor = await signedIn(world)
  const ticket = await system.call('POST', `/api/projects/${world.project.id}/tickets`, { title: 'Moved too late', column_id: 'backlog' })
  const page = await visitor.open(`/projects/${world.project.id}/board`)
  const card = page.locator(`[data-card-link="${ticket.id}"]`)
  await card.waitFor()
  await page.route(`**/tickets/${ticket.id}`, (route) => route.request().method() === 'PATCH'
    ? route.fulfill({ status: 409, contentType: 'application/json', body: JSON.stringify({ error: 'The ticket was changed meanwhile.', code: 'conflict', request_id: 'r-1' }) })
    : route.continue())
  await card.focus()
  await page.keyboard.press('m')
  await page.getByRole('dialog').getByRole('button', { name: /done/i }).click()
  await page.getByText('The ticket was changed meanwhile.').first().waitFor()
  assert.equal((await system.call('GET', `/api/projects/${world.project.id}/tickets/${ticket.id}`)).column_id, 'backlog')
  await visitor.leave()
}

export default [
  ['a failed ticket is retried from the Inbox with a note', retriedFromTheInbox],
  ['a move that fails snaps back and says why', aMoveThatFails],
]
