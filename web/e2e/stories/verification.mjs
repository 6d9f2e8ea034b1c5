import assert from 'node:assert/strict'
import { inspectAll } from '../browser.mjs'
import { signedIn } from '../people.mjs'

/** A project names what verifies its tickets, a ticket adds to it, and both stand on the ticket's page. */
async function named(world) {
  const { system } = world
  const project = await system.call('POST', '/api/projects', { name: 'Verified', github_url: system.forge.repo_url, is_existing_repo: true })
  const ticket = await system.call('POST', `/api/projects/${project.id}/tickets`, { title: 'Sort by price', column_id: 'backlog' })
  const visitor = await signedIn(world)
  const page = await visitor.open(`/projects/${project.id}/tickets/${ticket.id}`)
  await page.getByText('No command verifies it').waitFor()
  await page.getByRole('link', { name: 'Name one for the project' }).click()
  await page.getByRole('tab', { name: 'Verification', selected: true }).waitFor()
  assert.equal(await page.getByRole('button', { name: 'Save', exact: true }).isDisabled(), true)
  await page.getByLabel('Commands that must succeed').fill('npm run lint\n\n npm test ')
  await page.getByLabel('Commands that prepare a checkout').fill('npm ci')
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  await page.getByText('It counts for attempts that begin from now on.').waitFor()
  assert.deepEqual(await system.call('GET', `/api/projects/${project.id}/proof`), { setup: ['npm ci'], verification: ['npm run lint', 'npm test'] })
  await inspectAll(page, 'project-verification', visitor)
  await page.goto(`${system.url}/projects/${project.id}/tickets/${ticket.id}`)
  const commands = page.getByRole('list', { name: 'Commands that must succeed' })
  await commands.getByText('npm run lint').waitFor()
  await page.getByRole('button', { name: 'Edit what counts as done' }).click()
  const dialog = page.getByRole('dialog', { name: 'What counts as done' })
  await dialog.getByLabel('What must hold').fill('The cheapest comes first.')
  await dialog.getByRole('button', { name: 'Save', exact: true }).click()
  await page.getByText('It counts for attempts that begin from now on.').waitFor()
  await dialog.getByRole('button', { name: 'Close', exact: true }).last().click()
  await page.getByRole('list', { name: 'What must hold' }).getByText('The cheapest comes first.').waitFor()
  assert.deepEqual(await system.call('GET', `/api/projects/${project.id}/tickets/${ticket.id}/proof`), { acceptance: ['The cheapest comes first.'] })
  // What others change is seen at once.
  await system.call('PUT', `/api/projects/${project.id}/proof`, { verification: ['make check'] })
  await commands.getByText('make check').waitFor()
  await inspectAll(page, 'ticket-verification', visitor)
  await visitor.leave()
}

export default [
  ['a project and a ticket say what counts as done', named],
]
