import assert from 'node:assert/strict'
import { inspectAll } from '../browser.mjs'
import { signedIn } from '../people.mjs'

/** An order is written line by line, its prompt is read before, and it is created once. */
async function ordered(world) {
  const { system } = world
  const project = await system.call('POST', '/api/projects', { name: 'Orders', github_url: `${system.forge.repo_url.replace(/\.git$/, '')}`, is_existing_repo: true })
  // What is launched there waits.
  await system.call('PUT', `/api/projects/${project.id}`, { paused: true })
  const visitor = await signedIn(world)
  const page = await visitor.open('/orders')
  await page.getByRole('heading', { name: 'Work orders' }).waitFor()
  await page.getByRole('status').filter({ hasText: 'Live' }).waitFor()
  await page.keyboard.press('c')
  await page.getByRole('heading', { name: 'New work order' }).waitFor()
  await page.getByLabel('Repository').selectOption({ label: 'Orders' })
  await page.getByLabel('Who works on it').selectOption('local')
  await page.getByLabel('Objective').fill('Refactor the greeting\nwithout a change of behaviour')
  for (const [number, [title, done]] of [['Write its tests', 'They fail without the change.'], ['Move the words', 'greet.sh has none of them.'], ['Not needed', '']].entries()) {
    await page.getByRole('button', { name: 'Add a line' }).click()
    await page.getByRole('textbox', { name: `Line ${number + 1}`, exact: true }).fill(title)
    await page.getByRole('textbox', { name: `Done when (line ${number + 1})` }).fill(done)
  }
  await page.getByRole('button', { name: 'Move line 2 up' }).click()
  await page.getByRole('button', { name: 'Remove line 3' }).click()
  await page.getByRole('button', { name: 'Constraints, hints, verification' }).click()
  await page.getByLabel('Do not modify').fill('LICENSE\n')
  await page.getByLabel('Test command').fill('sh test.sh')
  await page.getByLabel('Objective').scrollIntoViewIfNeeded()
  await inspectAll(page, 'order-new', visitor)
  await page.getByRole('button', { name: 'Preview the prompt' }).click()
  const prompt = page.getByRole('region', { name: 'The prompt' })
  await prompt.getByText(/1\. Move the words/).waitFor()
  assert.match(await prompt.textContent(), /2\. Write its tests\n.*They fail without the change[^]*LICENSE[^]*sh test\.sh/)
  await inspectAll(page, 'order-prompt', visitor)
  await page.getByRole('button', { name: 'Back to the form' }).click()
  // The answer of the first try is lost; the order is made once all the same.
  await page.route('**/api/v1/work-orders', async (route) => { await route.fetch(); await route.abort() }, { times: 1 })
  const before = (await system.call('GET', '/api/v1/work-orders')).work_orders.length
  await page.getByRole('button', { name: 'Create', exact: true }).click()
  await page.getByText('The server did not answer.').waitFor()
  assert.equal(await page.getByLabel('Test command').inputValue(), 'sh test.sh')
  await page.getByRole('button', { name: 'Create', exact: true }).click()
  await page.getByRole('heading', { name: 'Refactor the greeting' }).waitFor()
  const orders = (await system.call('GET', '/api/v1/work-orders')).work_orders
  assert.equal(orders.length, before + 1)
  assert.deepEqual(orders[0].lines.map(({ title }) => title), ['Move the words', 'Write its tests'])
  assert.deepEqual([orders[0].constraints, orders[0].verification, orders[0].source], [{ do_not_modify: ['LICENSE'] }, { test_command: 'sh test.sh' }, 'local'])
  world.orders = { project, visitor, page, order: orders[0] }
}

/** Lines are ticked, by people here and by programs elsewhere; everybody sees it. */
async function ticked(world) {
  const { system } = world
  const { visitor, page, order } = world.orders
  const box = page.getByRole('checkbox', { name: 'Move the words' })
  await box.click()
  await page.getByText('1 of 2 done').waitFor()
  assert.equal((await system.call('GET', `/api/v1/work-orders/${order.id}`)).lines[0].status, 'completed')
  await system.call('POST', `/api/v1/work-orders/${order.id}/lines/2`, { status: 'completed' })
  await page.getByText('2 of 2 done').waitFor()
  await page.route(`**/work-orders/${order.id}/lines/*`, (route) => route.fulfill({ status: 409, json: { error: 'The order has ended.', code: 'conflict', request_id: 'r-1' } }), { times: 1 })
  await box.click()
  const refused = page.getByText('“Move the words” stays as it was. The order has ended.')
  await refused.waitFor()
  assert.ok(await box.isChecked())
  await page.getByRole('button', { name: 'Close this message' }).last().click()
  await refused.waitFor({ state: 'detached' })
  await page.getByRole('link', { name: 'Its ticket' }).waitFor()
  await page.getByRole('button', { name: 'Show it' }).click()
  await page.getByText(/## Objective/).waitFor()
  await inspectAll(page, 'order', visitor)
}

/** What hooks report comes while the order is open, the newest first, and opens to what was sent. */
async function heard(world) {
  const { system } = world
  const { visitor, page, order } = world.orders
  const report = (event_type, event_id, raw_payload) => system.call('POST', '/api/v1/ingest', { event_type, event_id, work_order_id: order.id, raw_payload })
  const log = page.getByRole('list', { name: 'What happened, the newest first' })
  await report('session_start', 'e-1', { session_id: 's-1' })
  await log.getByText('session_start').waitFor()
  await report('file_edit', 'e-2', { file_path: 'greet.sh', edits: [{ old_string: 'Hello', new_string: 'Good day' }] })
  await log.getByText('file_edit').waitFor()
  await report('shell_execution', 'e-3', { command: 'sh test.sh', output: 'ok 1 - it greets', duration: 40 })
  const shell = log.getByRole('listitem').first()
  await shell.getByText('shell_execution').waitFor()
  await shell.getByRole('button').click()
  await shell.getByText('ok 1 - it greets').waitFor()
  await page.getByRole('status').filter({ hasText: /^Running$/ }).waitFor()
  await log.scrollIntoViewIfNeeded()
  await inspectAll(page, 'order-log', visitor)
}

/** One that can't be launched says why; it is cancelled and found by its filters. */
async function cancelled(world) {
  const { system } = world
  const { project, visitor, page } = world.orders
  const made = await system.call('POST', '/api/v1/work-orders', { objective: 'Greet in Danish', repo_id: project.id })
  await page.goto(`${system.url}/orders`)
  await page.getByRole('link', { name: 'Greet in Danish' }).waitFor()
  await inspectAll(page, 'orders', visitor)
  await page.getByRole('link', { name: 'Greet in Danish' }).click()
  await page.getByRole('heading', { name: 'Greet in Danish' }).waitFor()
  await inspectAll(page, 'order-waits', visitor)
  await page.getByRole('button', { name: 'Cancel the order' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel the order' }).click()
  await page.getByText('The order is cancelled.').waitFor()
  await page.getByRole('status').filter({ hasText: /^Cancelled$/ }).waitFor()
  assert.equal((await system.call('GET', `/api/v1/work-orders/${made.work_order_id}`)).status, 'cancelled')
  await page.goto(`${system.url}/orders`)
  await page.getByLabel('Status').selectOption('cancelled')
  await page.getByLabel('Repository').selectOption({ label: 'Orders' })
  await page.getByRole('link', { name: 'Greet in Danish' }).waitFor()
  assert.equal(await page.getByRole('link', { name: 'Refactor the greeting' }).count(), 0)
  await page.getByLabel('Status').selectOption('failed')
  await page.getByRole('heading', { name: 'Nothing fits' }).waitFor()
  await visitor.leave()
}

export default [
  ['work orders: one is written, its prompt is read, and it is made once', ordered],
  ['work orders: lines are ticked, here and elsewhere', ticked],
  ['work orders: what hooks report comes by itself', heard],
  ['work orders: what waits says why, is cancelled and found', cancelled],
]
