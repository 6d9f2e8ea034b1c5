import assert from 'node:assert/strict'
import { inspectAll } from '../browser.mjs'
import { signedIn } from '../people.mjs'

/** A project's budgets are set on its page, a ticket's own beside what its models used, and what is left stands there. */
async function limited(world) {
  const { system } = world
  const project = await system.call('POST', '/api/projects', { name: 'Limited', github_url: system.forge.repo_url, is_existing_repo: true })
  const ticket = await system.call('POST', `/api/projects/${project.id}/tickets`, { title: 'Sort by price', column_id: 'backlog' })
  const visitor = await signedIn(world)
  const page = await visitor.open(`/projects/${project.id}?show=budget`)
  await page.getByRole('tab', { name: 'Budget', selected: true }).waitFor()
  const save = page.getByRole('button', { name: 'Save', exact: true })
  await page.getByLabel('Tokens: Each ticket').fill('2000000')
  await page.getByLabel('Dollars: The project, each day').fill('many')
  await page.getByText('Write a number above 0, or nothing.').waitFor()
  assert.equal(await save.isDisabled(), true)
  await page.getByLabel('Dollars: The project, each day').fill('20')
  await save.click()
  await page.getByText('Saved. It counts at once.').waitFor()
  await page.getByText('$20.00 of $20.00 left for the project today').waitFor()
  const stored = await system.call('GET', `/api/projects/${project.id}/budget`)
  assert.deepEqual([stored.set.ticket, stored.set.day, stored.set.attempt], [{ tokens: 2_000_000 }, { usd: 20 }, undefined])
  await inspectAll(page, 'project-budget', visitor)
  await page.goto(`${system.url}/projects/${project.id}/tickets/${ticket.id}`)
  await page.getByText('2,000,000 of 2,000,000 tokens left for this ticket').waitFor()
  await page.getByRole('button', { name: 'Edit the budget' }).click()
  const dialog = page.getByRole('dialog', { name: 'Budget' })
  await dialog.getByLabel('Tokens: All of this ticket').fill('5000')
  await dialog.getByRole('button', { name: 'Save', exact: true }).click()
  await page.getByText('Saved. It counts at once.').waitFor()
  await dialog.getByRole('button', { name: 'Close', exact: true }).last().click()
  // What the models use is taken off at once.
  const headers = { authorization: `Bearer ${system.keys.worker}`, 'content-type': 'application/json' }
  const used = JSON.stringify({ models: [{ whose: 'agent', model: 'large', calls: 2, input: 4_000 }] })
  const told = await fetch(`${system.url}/api/projects/${project.id}/tickets/${ticket.id}/usage`, { method: 'PUT', headers, body: used })
  assert.equal(told.status, 200)
  await page.reload()
  await page.getByText('1,000 of 5,000 tokens left for this ticket').waitFor()
  await page.getByText('4,000 tokens in 2 calls').waitFor()
  await inspectAll(page, 'ticket-budget', visitor)
  await visitor.leave()
}

export default [
  ['a project and a ticket limit what their models may use', limited],
]
