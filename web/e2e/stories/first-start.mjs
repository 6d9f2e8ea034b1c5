import assert from 'node:assert/strict'
import { Visitor, inspectAll } from '../browser.mjs'
import { signedIn } from '../people.mjs'

/** The link in the log makes the first admin, once; then five steps lead to a running ticket. */
async function firstStart(world) {
  const { system, admin } = world
  const visitor = await Visitor.enter(world.browser, system.url, { screenshots: world.screenshots })
  const link = system.api.text.match(/https?:\/\/\S+\/link#[\w-]+/)?.[0]
  assert.ok(link, `the log has a link:\n${system.api.tail()}`)
  const token = link.split('#')[1]

  const nobody = await visitor.open('/')
  await nobody.getByRole('heading', { name: 'Make the first admin' }).waitFor()
  await inspectAll(nobody, 'sign-in-nobody-yet', visitor)
  await nobody.close()

  const page = await visitor.open(`/link#${token}`)
  await page.getByLabel('Email').fill(admin.email)
  await page.getByLabel('Name').fill(admin.name)
  await page.getByLabel('Password', { exact: true }).fill(admin.password)
  await inspectAll(page, 'link-first-admin', visitor)
  await page.getByRole('button', { name: 'Make the account' }).click()
  await page.getByRole('heading', { name: 'First start' }).waitFor()
  await inspectAll(page, 'first-start-begun', visitor)
  world.page = page
  world.visitor = visitor

  const again = await visitor.open(`/link#${token}`)
  await again.getByText(/used|expired/i).first().waitFor()
  await inspectAll(again, 'link-used', visitor)
  await again.close()
}

/** Model, project, host and ticket, each checked before the next. */
async function fiveSteps(world) {
  const { system, page, visitor } = world
  const next = async () => page.getByRole('button', { name: 'Go on' }).click()
  if (await page.getByRole('button', { name: 'Go on' }).isVisible()) await next()
  await page.getByRole('textbox', { name: 'Address' }).fill('http://127.0.0.1:9/v1')
  await page.getByRole('textbox', { name: 'Model' }).fill('scripted-coder')
  await page.getByRole('button', { name: 'Set Key' }).click()
  await page.getByLabel('Key', { exact: true }).fill('scripted')
  await page.getByRole('button', { name: 'Test Model of the agent' }).click()
  await page.locator('.bg-bad-soft').filter({ hasText: /refused|connect/i }).waitFor()
  await inspectAll(page, 'first-start-model-refused', visitor)
  await page.getByRole('textbox', { name: 'Address' }).fill(system.forge.chat_url)
  await page.getByRole('button', { name: 'Test Model of the agent' }).click()
  await page.locator('.bg-good-soft').filter({ hasText: /took/i }).waitFor()
  await page.getByRole('button', { name: 'Save Model of the agent' }).click()
  await next()

  await page.getByRole('button', { name: 'Set Token' }).click()
  await page.getByLabel('Token', { exact: true }).fill(system.forge.token)
  await page.getByRole('button', { name: 'Save Forge' }).click()
  await page.getByRole('textbox', { name: 'Repository' }).fill(system.forge.repo_url)
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('Hello')
  await page.getByRole('button', { name: 'Make the project' }).click()
  await page.getByRole('heading', { name: 'Is Hello set up?' }).waitFor()
  await inspectAll(page, 'first-start-project', visitor)
  await next()

  await page.getByRole('textbox', { name: 'Name of its key' }).fill('This machine')
  await page.getByRole('button', { name: 'Make the command' }).click()
  const command = await page.getByText('terarchitect-coordinator').first().textContent()
  await inspectAll(page, 'first-start-waits-for-a-host', visitor)
  // With the key of the command that the page shows.
  await system.startCoordinator({ TERARCHITECT_WORKER_API_KEY: command.match(/tat_[\w-]+/)[0] })
  // Nothing is loaded again: the page hears of it.
  await page.getByText('Connected').first().waitFor()
  await inspectAll(page, 'first-start-host-joined', visitor)
  await next()
  await page.getByRole('button', { name: 'Run it' }).click()
  await page.waitForURL(/\/tickets\//)
  world.project = (await system.call('GET', '/api/projects'))[0]
}

/** What happens is shown as it happens; a person's words are in the next prompt, once; it ends as a pull request. */
async function watchAndSteer(world) {
  const { system, page, visitor } = world
  await system.call('PUT', '/api/settings', { AGENT_LLM_URL: system.forge.chat_url, AGENT_MODEL: 'scripted-director', AGENT_API_KEY: 'scripted' })
  const path = `/api/projects/${world.project.id}/tickets`
  const made = await system.call('POST', path, { title: 'Greet people by name', description: 'Greet the person whose name it is given.', column_id: 'backlog' })
  await page.goto(`${system.url}/projects/${world.project.id}/tickets/${made.id}`)
  await page.getByRole('button', { name: 'Run' }).first().click()
  await page.getByText('Say how the change is tried out').first().waitFor({ timeout: 90_000 })
  await page.getByText('Write greet.sh').first().waitFor({ timeout: 60_000 })
  await inspectAll(page, 'ticket-running', visitor)
  await page.getByPlaceholder('Tell the agent').fill('Greet in French as well, in a file of its own.')
  await page.getByRole('button', { name: 'Send' }).click()
  await page.getByText(/In the next prompt/).first().waitFor()
  // The Director thinks about the turn until now, so that what is above is seen while it runs, however slow the machine is.
  await system.release('watched')
  await page.getByText(/Delivered/).first().waitFor({ timeout: 60_000 })
  const ticket = await system.until('the ticket is in review', async () => {
    const now = await system.call('GET', `${path}/${made.id}`)
    return now.column_id === 'in_review' && now
  })
  await page.locator(`a[href="${ticket.pr_url}"]`).first().waitFor()

  const messages = await system.call('GET', `${path}/${made.id}/messages`)
  assert.equal(messages.length, 1)
  assert.ok(messages[0].delivered_at)
  assert.equal(messages[0].author, world.admin.name)
  const diffs = await system.call('GET', `${path}/${made.id}/diffs`)
  const whole = diffs.find((diff) => diff.turn === null)
  const patch = await system.call('GET', `${path}/${made.id}/diffs/${whole.id}`)
  assert.ok(patch.includes('bonjour.sh'), 'the agent did what the person wrote')
  await page.getByText('Complete', { exact: true }).first().waitFor()
  await inspectAll(page, 'ticket-in-review', visitor)
  await page.getByRole('tab', { name: /Changes|Diff/ }).click()
  await page.getByRole('region', { name: 'Changes' }).getByText('bonjour.sh').first().waitFor()
  await inspectAll(page, 'ticket-changes', visitor)
  await page.getByRole('tab').first().click()
}

/** What the agent prints is text, whatever it contains. */
async function hostileOutput(world) {
  const { page } = world
  page.on('dialog', (dialog) => { world.visitor.complaints.push(`a dialog: ${dialog.message()}`); void dialog.dismiss() })
  // Only what is in view exists: the turn that ran it is opened, and the call in it.
  await page.getByRole('button', { name: /^Turn 5/ }).first().click()
  await page.getByRole('button', { name: /^bash/ }).first().click()
  await page.getByText('<script>alert(1)</script>').first().waitFor()
  assert.equal(await page.locator('script:not([src])').count(), 0)
}

async function leave(world) {
  await world.visitor.leave()
  const visitor = await signedIn(world)
  await visitor.leave()
}

export default [
  ['first start: the link in the log makes the first admin, once', firstStart, { needed: true }],
  ['first start: five steps from nothing to a running ticket', fiveSteps, { needed: true }],
  ['a ticket is watched, steered once, and becomes a pull request', watchAndSteer],
  ['what an agent prints stays text', hostileOutput],
  ['the first admin signs in with the password', leave],
]
