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

/** A project's secrets are stored, replaced and deleted, and no value is ever in the page again. */
async function secret(world) {
  const { system } = world
  const project = await system.call('POST', '/api/projects', { name: 'Secretive', github_url: system.forge.repo_url, is_existing_repo: true })
  const stored = async () => (await system.call('GET', `/api/projects/${project.id}/secrets`)).map(({ name, given_to_agent }) => [name, given_to_agent])
  const visitor = await signedIn(world)
  const page = await visitor.open(`/projects/${project.id}?show=secrets`)
  await page.getByRole('button', { name: 'Add a secret' }).click()
  const dialog = page.getByRole('dialog', { name: 'Add a secret' })
  await dialog.getByLabel('Name').fill('PATH')
  await dialog.getByLabel('Value').fill('hunter2')
  await dialog.getByRole('button', { name: 'Store it' }).click()
  await dialog.getByText('PATH means something to the runner').waitFor()
  await dialog.getByLabel('Name').fill('NPM_TOKEN')
  await dialog.getByRole('button', { name: 'Store it' }).click()
  await dialog.getByText('must have at least 8 characters').waitFor()
  await dialog.getByLabel('Value').fill('hunter2-of-the-registry')
  await dialog.getByText('The agent can read it').waitFor()
  await inspectAll(page, 'project-secret', visitor)
  await dialog.getByRole('button', { name: 'Store it' }).click()
  await dialog.waitFor({ state: 'detached' })
  await page.getByRole('code').filter({ hasText: 'NPM_TOKEN' }).waitFor()
  assert.deepEqual(await stored(), [['NPM_TOKEN', false]])
  await page.getByRole('button', { name: 'Replace NPM_TOKEN' }).click()
  const replacing = page.getByRole('dialog', { name: 'Replace NPM_TOKEN' })
  assert.equal(await replacing.getByLabel('Value').inputValue(), '')
  await replacing.getByLabel('Value').fill('hunter2-replaced')
  await replacing.getByLabel('Give it to the agent too').check()
  await replacing.getByRole('button', { name: 'Store it' }).click()
  await replacing.waitFor({ state: 'detached' })
  await page.getByText('Commands and agent').waitFor()
  assert.deepEqual(await stored(), [['NPM_TOKEN', true]])
  // What others change is seen at once.
  await system.call('PUT', `/api/projects/${project.id}/secrets/DATABASE_URL`, { value: 'hunter2-of-the-database' })
  await page.getByRole('code').filter({ hasText: 'DATABASE_URL' }).waitFor()
  await inspectAll(page, 'project-secrets', visitor)
  assert.ok(!(await page.content()).includes('hunter2'))
  await page.getByRole('button', { name: 'Delete NPM_TOKEN' }).click()
  await page.getByRole('button', { name: 'Delete the secret' }).click()
  await page.getByText('The secret is deleted.').waitFor()
  assert.deepEqual(await stored(), [['DATABASE_URL', false]])
  await visitor.leave()
}

export default [
  ['a project and a ticket say what counts as done', named],
  ['a project has secrets that are never shown', secret],
]
