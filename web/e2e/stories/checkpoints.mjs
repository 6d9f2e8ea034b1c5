import assert from 'node:assert/strict'
import { inspect, inspectAll, PHONE } from '../browser.mjs'
import { signedIn } from '../people.mjs'

/** Whoever has the worker's key works on jobs; the coordinator is away meanwhile. */
async function byHand({ system }) {
  await system.coordinator.stop()
  return system.call('POST', '/api/projects', { name: 'Held', github_url: system.forge.repo_url, is_existing_repo: true })
}

/** A job that stopped here, and holds nothing while it waits. */
async function stopped({ system }, project, title, checkpoint) {
  const path = `/api/projects/${project.id}/tickets`
  const ticket = await system.call('POST', path, { title, column_id: 'in_progress' })
  const call = async (method, address, token, body) => {
    const response = await fetch(system.url + address, { method, headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: JSON.stringify(body) })
    const text = await response.text()
    assert.ok(response.ok, `${method} ${address}: ${response.status} ${text}`)
    return text ? JSON.parse(text) : null
  }
  const job = await system.until('the job can be claimed', async () => call('POST', '/api/worker/jobs/start', system.keys.worker, { project_id: project.id, worker_id: 'by-hand' }))
  assert.equal(job.ticket_id, ticket.id)
  const own = `${path}/${ticket.id}`
  await call('POST', `${own}/logs`, job.job_token, { session_id: 's', step: 'plan', summary: 'The plan is written.', success: true })
  const opened = await call('POST', `${own}/checkpoints`, job.job_token, { key: 'one', type: 'approval_required', ...checkpoint })
  const held = await call('POST', `${own}/hold`, job.job_token, { checkpoint_id: opened.id })
  assert.equal(held.held, true)
  return { ticket, path: own, id: opened.id, job: job.job_id }
}

/** The decision has made the job due, so it would be claimed next. */
async function takenAway({ system }, { path, job }) {
  assert.equal((await system.call('GET', `/api/jobs/${job}`)).held_at ?? null, null)
  await system.call('DELETE', path)
}

/** A plan is approved with one key; the address of the guide leads here. */
async function approved(world) {
  const { system } = world
  const project = await byHand(world)
  const one = await stopped(world, project, 'Refactor the greeting', { stage: 'plan', message: 'Should the agent work by this plan?', data: { text: '1. Read greet.sh.\n2. Move the words to a file of their own.\n', turns: 3 } })
  const visitor = await signedIn(world)
  const page = await visitor.open('/admin/agent-checkpoints')
  await page.getByRole('button', { name: /Refactor the greeting/ }).click()
  assert.equal(new URL(page.url()).pathname, '/inbox')
  const detail = page.getByRole('article', { name: 'Refactor the greeting' })
  await detail.getByText('2. Move the words').waitFor()
  await detail.getByText(/It expires in 2\d h/).waitFor()
  await detail.getByText('The end of the log').click()
  await detail.getByText('The plan is written.').waitFor()
  await inspectAll(page, 'inbox-checkpoint', visitor)
  await page.keyboard.press('a')
  await page.getByText('Refactor the greeting: It goes on.').waitFor()
  await detail.waitFor({ state: 'detached' })
  const decided = await system.call('GET', `/api/checkpoints/${one.id}`)
  assert.equal(decided.status, 'approved')
  await takenAway(world, one)
  world.checkpoints = { project, visitor, page }
}

/** A question comes while the Inbox is open, with a notice, and is answered on a phone. */
async function answered(world) {
  const { system } = world
  const { project, page } = world.checkpoints
  const phone = await signedIn(world, { viewport: PHONE })
  // What a browser does with notices is its own business; what it is asked to show is the page's.
  await phone.context.addInitScript(() => {
    globalThis.notices = []
    globalThis.Notification = class { constructor(title, { body, tag }) { globalThis.notices.push({ title, body, tag }) } close() {} }
    Object.assign(globalThis.Notification, { permission: 'granted', requestPermission: async () => 'granted' })
    document.hasFocus = () => false
  })
  const small = await phone.open('/inbox')
  await small.getByRole('button', { name: 'Notify me' }).click()
  await small.getByRole('button', { name: 'Notices are on' }).waitFor()
  await small.getByRole('status').filter({ hasText: 'Live' }).waitFor()
  const two = await stopped(world, project, 'Greet politely', { stage: 'question', message: 'Which greeting should stay?', data: { question: 'There are two, Hello and Good day.' } })
  // Both pages hear of it.
  await page.getByRole('button', { name: /Greet politely/ }).waitFor()
  const card = small.getByRole('article', { name: 'Greet politely' })
  await card.waitFor()
  await small.waitForFunction((id) => globalThis.notices.some(({ tag, title }) => tag === id && title === 'A question: Greet politely'), two.id)
  const button = card.getByRole('button', { name: 'Answer' })
  for (const one of await card.getByRole('button').all()) assert.ok((await one.boundingBox()).height >= 44, 'a finger meets each button')
  await button.scrollIntoViewIfNeeded()
  await inspect(small, 'inbox-question-phone', phone)
  await button.tap()
  await small.getByRole('textbox', { name: 'Answer' }).fill('Good day.')
  await inspect(small, 'inbox-answer-phone', phone)
  await small.getByRole('button', { name: 'Send the answer' }).tap()
  await small.getByText('Greet politely: It goes on.').waitFor()
  assert.equal((await system.call('GET', `/api/checkpoints/${two.id}`)).words, 'Good day.')
  await page.getByRole('button', { name: /Greet politely/ }).waitFor({ state: 'detached' })
  await takenAway(world, two)
  await phone.leave()
}

/** A rejection that is refused loses no word; its job fails with the reason, and a second decision says what was decided. */
async function rejected(world) {
  const { system } = world
  const { project, page, visitor } = world.checkpoints
  const three = await stopped(world, project, 'Generate a client', { stage: 'start', message: 'Should these files be written?', data: { files: [{ path: 'src/client.ts', contentPreview: 'export class Client {}', size: 2_048 }, { path: 'README.md', contentPreview: '# Client', size: 8 }], totalFiles: 2 } })
  await page.getByRole('button', { name: /Generate a client/ }).click()
  await page.getByText('export class Client {}').waitFor()
  const reject = `**/api/checkpoints/${three.id}/reject`
  await page.route(reject, (route) => route.fulfill({ status: 503, json: { error: 'The database is not available; try again in a moment.', code: 'unavailable', request_id: 'r-1' } }), { times: 1 })
  await page.keyboard.press('x')
  await page.getByRole('textbox', { name: 'Reason' }).fill('Too large.')
  await inspectAll(page, 'inbox-reject', visitor)
  await page.getByRole('button', { name: 'Reject with this reason' }).click()
  await page.getByText('The database is not available').first().waitFor()
  await page.getByRole('button', { name: /Generate a client/ }).click()
  await page.keyboard.press('x')
  assert.equal(await page.getByRole('textbox', { name: 'Reason' }).inputValue(), 'Too large.')
  await page.keyboard.press('Control+Enter')
  await page.getByText('Generate a client: It is rejected.').waitFor()
  const now = await system.call('GET', `/api/checkpoints/${three.id}`)
  assert.deepEqual([now.status, now.words], ['rejected', 'Too large.'])
  const job = await system.call('GET', `/api/jobs/${three.job}`)
  assert.equal(job.status, 'failed')
  // The ticket is in the Inbox still, as one that failed.
  await page.getByRole('button', { name: /Failed.*Generate a client/ }).waitFor()
  await takenAway(world, three)
  await system.coordinator.start()
  await visitor.leave()
}

export default [
  ['checkpoints: a plan is approved with one key', approved],
  ['checkpoints: a question comes with a notice and is answered on a phone', answered],
  ['checkpoints: a rejection that is refused loses no word', rejected],
]
