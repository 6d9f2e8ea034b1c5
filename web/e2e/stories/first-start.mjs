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
  const step = (name) => page.getByRole('region', { name })
  const model = step(/model/i)
  await model.getByLabel(/address/i).first().fill('http://127.0.0.1:9/v1')
  await model.getByLabel(/^model/i).first().fill('scripted-coder')
  await model.getByLabel(/key/i).first().fill('scripted')
  await model.getByRole('button', { name: /test/i }).click()
  await model.getByText(/refused|could not connect|nothing listens/i).first().waitFor()
  await model.getByLabel(/address/i).first().fill(system.forge.chat_url)
  await model.getByRole('button', { name: /test/i }).click()
  await model.getByText(/answered/i).first().waitFor()
  await model.getByRole('button', { name: /save/i }).click()

  const project = step(/project/i)
  await project.getByLabel(/token/i).first().fill(system.forge.token)
  await project.getByLabel(/repository/i).first().fill(system.forge.repo_url)
  await project.getByLabel(/name/i).first().fill('Hello')
  await project.getByRole('button', { name: /create|add|save/i }).first().click()

  const host = step(/host/i)
  await host.getByText(/terarchitect-coordinator/).first().waitFor()
  await inspectAll(page, 'first-start-waits-for-a-host', visitor)
  await system.startCoordinator()
  // Nothing is loaded again: the page hears of it.
  await host.getByText(/connected|ready|joined/i).first().waitFor()
  await inspectAll(page, 'first-start-ready', visitor)
  await step(/ticket/i).getByRole('button', { name: /run|start/i }).click()
  await page.waitForURL(/\/tickets\//)
  world.project = (await system.call('GET', '/api/projects'))[0]
  world.firstTicket = page.url().split('/tickets/')[1].split(/[?#]/)[0]
}

/** What happens is shown as it happens; a person's words are in the next prompt, once; it ends as a pull request. */
async function watchAndSteer(world) {
  const { system, page, visitor } = world
  const settings = { AGENT_LLM_URL: system.forge.chat_url, AGENT_MODEL: 'scripted-director', AGENT_API_KEY: 'scripted' }
  await system.call('PUT', '/api/settings', settings)
  const path = `/api/projects/${world.project.id}/tickets`
  const made = await system.call('POST', path, { title: 'Greet people by name', description: 'Greet the person whose name it is given.', column_id: 'backlog' })
  await page.goto(`${system.url}/projects/${world.project.id}/tickets/${made.id}`)
  await page.getByRole('button', { name: 'Run' }).first().click()
  await page.getByText(/rejected|not yet|Say how the change is tried out/).first().waitFor({ timeout: 60_000 })
  await page.getByText('Write greet.sh').first().waitFor({ timeout: 60_000 })
  await inspectAll(page, 'ticket-running', visitor)
  await page.getByRole('textbox', { name: /tell|write to|message/i }).fill('Greet in French as well, in a file of its own.')
  await page.getByRole('button', { name: /send|tell/i }).click()
  await page.getByText(/next prompt/i).first().waitFor()
  await page.getByText(/delivered|in turn 2/i).first().waitFor({ timeout: 60_000 })
  await page.getByRole('link', { name: /pull request|#\d+/i }).first().waitFor({ timeout: 90_000 })

  const prompts = await system.call('GET', `${path}/${made.id}/messages`)
  assert.equal(prompts.length, 1)
  assert.ok(prompts[0].delivered_at)
  const diffs = await system.call('GET', `${path}/${made.id}/diffs`)
  const whole = diffs.find((diff) => diff.turn === null)
  const patch = await system.call('GET', `${path}/${made.id}/diffs/${whole.id}`)
  assert.equal(patch.split('bonjour.sh').length > 1, true, 'the agent did what the person wrote')
  await inspectAll(page, 'ticket-in-review', visitor)
  world.watched = made
}

/** What the agent prints is text, whatever it contains. */
async function hostileOutput(world) {
  const { page } = world
  page.on('dialog', (dialog) => { world.visitor.complaints.push(`a dialog: ${dialog.message()}`); void dialog.dismiss() })
  await page.getByRole('button', { name: /bash/i }).first().click()
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
