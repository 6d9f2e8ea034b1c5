import assert from 'node:assert/strict'
import { inspectAll } from '../browser.mjs'
import { ANN, BOT, GitHub } from '../github.mjs'
import { signedIn } from '../people.mjs'

/** A project at a forge of its own, and a ticket whose pull request is there. */
async function reviewed(world) {
  const { system } = world
  const forge = new GitHub()
  await forge.start()
  const project = await system.call('POST', '/api/projects', { name: 'Greeter', github_url: forge.repository, is_existing_repo: true })
  // Nothing of it runs: this forge has no git. Only what is asked for here is an order, not what the API finds by itself.
  await system.call('PUT', `/api/projects/${project.id}`, { paused: true, review_trigger: 'mention', max_check_fixes: 0 })
  const path = `/api/projects/${project.id}/tickets`
  const ticket = await system.call('POST', path, { title: 'Say hello to everybody', column_id: 'backlog', description: 'Not only to the first one.' })
  const report = { pr_url: 'https://git.example/demo/hello/pull/7', pr_number: 7, summary: 'I greet everybody now.' }
  const headers = { authorization: `Bearer ${system.keys.worker}`, 'content-type': 'application/json' }
  const done = await fetch(`${system.url}${path}/${ticket.id}/complete`, { method: 'POST', headers, body: JSON.stringify(report) })
  assert.equal(done.status, 200)
  world.review = { forge, project, ticket, path: `${path}/${ticket.id}`, page: `/projects/${project.id}/tickets/${ticket.id}?show=review` }
  return world.review
}

/** Without a credential the panel says what is missing; it is added, and never shown again. */
async function credentialAdded(world) {
  const { forge, project, page: address } = await reviewed(world)
  const visitor = await signedIn(world)
  const page = await visitor.open(address)
  await page.getByText(/No credential is stored for 127\.0\.0\.1/).first().waitFor()
  await inspectAll(page, 'review-no-credential', visitor)
  await page.goto(`${world.system.url}/projects/${project.id}?show=forge`)
  await page.getByRole('heading', { name: 'Reviews', exact: true }).waitFor()
  await inspectAll(page, 'project-forge-empty', visitor)
  await page.getByRole('button', { name: 'Add a credential' }).click()
  const dialog = page.getByRole('dialog')
  assert.equal(await dialog.getByLabel('Host').inputValue(), forge.host)
  await dialog.getByLabel('Name').fill('the bot')
  await dialog.getByLabel('Token').fill(BOT.token)
  await inspectAll(page, 'credential-form', visitor)
  await dialog.getByRole('button', { name: 'Store it' }).click()
  await page.getByText('The bot', { exact: true }).first().waitFor()
  assert.ok(!(await page.content()).includes(BOT.token), 'a stored token is never shown')
  await page.getByLabel('Quiet time, in seconds').fill('0')
  await page.getByLabel('Delete merged branches').check()
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  await page.getByText('The project is saved.').waitFor()
  assert.equal((await world.system.call('GET', `/api/projects/${project.id}`)).review_quiet_sec, 0)
  await inspectAll(page, 'project-forge', visitor)
  await visitor.leave()
}

/** The panel in its states; what the forge reports shows without loading again. */
async function panel(world) {
  const { system } = world
  const { forge, page: address, path } = world.review
  const visitor = await signedIn(world)
  const page = await visitor.open(address)
  await page.getByRole('heading', { name: /Say hello to everybody #7/ }).waitFor()
  await page.getByText('1 failed, 1 running, 1 passed').waitFor()
  await page.getByText('an earlier head').first().waitFor()
  await page.getByText('<b>not bold</b>').last().waitFor()
  await inspectAll(page, 'review', visitor)
  await page.getByRole('article', { name: /docs\/a-folder/ }).getByText('Resolved').scrollIntoViewIfNeeded()
  await inspectAll(page, 'review-threads', visitor)

  const secret = await system.call('POST', '/api/webhook-secrets', { sender: 'github' })
  world.review.secret = secret
  const said = { id: 650, user: ANN, body: 'One more thing: please rename it.', created_at: '2026-11-02T10:00:00Z', html_url: 'https://git.example/c/650' }
  forge.state.comments.push(said)
  await forge.deliver(system.url, secret.path, secret.secret, 'issue_comment', { action: 'created', issue: { number: 7, pull_request: {} }, comment: said })
  await page.getByText('One more thing: please rename it.').first().waitFor()
  // It mentions nobody, so the agent leaves it alone.
  await page.getByText('No order', { exact: true }).first().waitFor()

  const comments = page.getByRole('textbox', { name: 'Comment', exact: true })
  await comments.fill('Thank you, Ann.')
  await page.getByRole('button', { name: 'Post', exact: true }).click()
  await page.getByText('Posted.', { exact: true }).first().waitFor()
  await page.getByRole('listitem').filter({ hasText: 'Ada wrote:' }).getByText('Thank you, Ann.').waitFor()
  assert.ok(forge.state.comments.at(-1).body.startsWith('Ada wrote:\n\nThank you, Ann.'))

  await page.getByRole('button', { name: 'Reply at src/greeting/greeter.rs:15' }).click()
  const reply = page.getByRole('article', { name: /greeter\.rs:15/ })
  await reply.getByRole('textbox').fill('Take it from the settings, as farewell does.')
  await reply.getByLabel('Ask the agent').check()
  await inspectAll(page, 'review-reply', visitor)
  await reply.getByRole('button', { name: 'Ask the agent' }).click()
  await page.getByText(/Waits for its job|The agent has it/).first().waitFor()
  await system.until('the reply is a job', async () => (await system.call('GET', `${path}/review`)).orders.some((order) => order.state === 'ordered'))
  await page.getByText('The agent has it').first().waitFor()
  await inspectAll(page, 'review-ordered', visitor)

  forge.state.down = true
  await forge.deliver(system.url, secret.path, secret.secret, 'issue_comment', { action: 'created', issue: { number: 7, pull_request: {} }, comment: { ...said, id: 651 } })
  await page.getByText(/This may be old\./).waitFor({ timeout: 40_000 })
  await page.getByText(/This may be old\./).scrollIntoViewIfNeeded()
  await inspectAll(page, 'review-stale', visitor)
  forge.state.down = false
  await visitor.leave()
}

/** The forge says that the pull request was changed. */
async function edited({ system, review: { forge, secret } }) {
  const pull = { number: 7, state: 'open', merged: false, draft: forge.state.draft, html_url: 'https://git.example/demo/hello/pull/7', updated_at: new Date().toISOString() }
  const ends = { head: { ref: 'say-hello-to-everybody', sha: forge.state.head, repo: { id: 1 } }, base: { ref: 'main', repo: { id: 1 } } }
  await forge.deliver(system.url, secret.path, secret.secret, 'pull_request', { action: 'edited', pull_request: { ...pull, ...ends }, sender: { id: ANN.id, login: ANN.login, type: 'User' } })
}

/** Approving without an approver says what is missing; with one it is done, and the Inbox says that it is ready. */
async function approvedAndMerged(world) {
  const { system } = world
  const { forge, project, ticket, page: address, path, secret } = world.review
  for (const job of await system.call('GET', `/api/jobs?ticket_id=${ticket.id}`).then((page) => page.jobs ?? page)) {
    if (['pending', 'running'].includes(job.status)) await system.call('POST', `/api/jobs/${job.id}/cancel`)
  }
  const visitor = await signedIn(world)
  const page = await visitor.open(address)
  await page.getByText(/No approver’s credential|No approver's credential/).waitFor()
  assert.ok(await page.getByRole('button', { name: 'Approve' }).isDisabled())
  await system.call('POST', '/api/credentials', { name: 'Ann approves', host: forge.host, kind: 'approver', secret: ANN.token, project_id: project.id })
  forge.state.runs = forge.state.runs.map((run) => ({ ...run, status: 'completed', conclusion: 'success' }))
  forge.state.resolved = new Set([501, 503, 505])
  for (const run of forge.state.runs) {
    await forge.deliver(system.url, secret.path, secret.secret, 'check_run', { action: 'completed', check_run: { ...run, head_sha: forge.state.head, pull_requests: [{ number: 7 }] } })
  }
  await page.getByText('3 passed').waitFor()
  await page.getByRole('button', { name: 'Approve' }).click()
  await page.getByText('Approved', { exact: true }).first().waitFor()
  await inspectAll(page, 'review-approved', visitor)

  const inbox = await visitor.open('/inbox')
  await inbox.getByText('Ready #7').first().waitFor()
  await inbox.getByText('Say hello to everybody').first().click()
  await inbox.getByText('Approved by ann, checks passed.').waitFor()
  await inspectAll(inbox, 'inbox-ready', visitor)
  await inbox.close()

  forge.state.mergeable_state = 'dirty'
  await edited(world)
  await page.getByText('It conflicts with its base.').waitFor()
  await inspectAll(page, 'review-conflict', visitor)
  forge.state.mergeable_state = 'clean'
  forge.state.draft = true
  await edited(world)
  await page.getByText('Draft', { exact: true }).first().waitFor()
  assert.ok(await page.getByRole('button', { name: 'Merge', exact: true }).isDisabled())
  await inspectAll(page, 'review-draft', visitor)
  forge.state.draft = false
  await edited(world)
  await page.getByText('Open', { exact: true }).first().waitFor()
  await page.getByRole('combobox', { name: 'How it is merged' }).selectOption('squash')
  await page.getByRole('button', { name: 'Merge', exact: true }).click()
  const dialog = page.getByRole('dialog')
  // Somebody pushes at this moment: what was seen is not what would be merged.
  forge.state.head = 'f'.repeat(40)
  await dialog.getByRole('button', { name: 'Merge the pull request' }).click()
  await dialog.getByText(/head has moved/).waitFor()
  await inspectAll(page, 'review-head-moved', visitor)
  await page.keyboard.press('Escape')
  // What was pushed is shown, and can be merged once it was seen.
  await page.getByText('head ffffffff').waitFor()
  await page.getByRole('button', { name: 'Merge', exact: true }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Merge the pull request' }).click()
  await page.getByText('Merged', { exact: true }).first().waitFor()
  assert.equal((await system.call('GET', path)).column_id, 'done')
  await inspectAll(page, 'review-merged', visitor)
  await visitor.leave()
}

/** A webhook's secret is shown once, with the address; the first delivery is the test. */
async function webhook(world) {
  const { system } = world
  const { forge, project } = world.review
  const visitor = await signedIn(world)
  const page = await visitor.open(`/projects/${project.id}?show=forge`)
  await page.getByRole('button', { name: 'Make a secret' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Forge').selectOption('github')
  await dialog.getByRole('button', { name: 'Make the secret' }).click()
  const secret = await dialog.getByRole('region', { name: 'Secret' }).textContent()
  const address = await dialog.getByRole('region', { name: 'Address' }).textContent()
  assert.ok(address.endsWith(`/webhooks/github/${project.id}`))
  await inspectAll(page, 'webhook-secret', visitor)
  await dialog.getByRole('button', { name: 'I have copied it' }).click()
  await page.getByRole('region', { name: /Address for GitHub/ }).waitFor()
  await forge.deliver(system.url, `/webhooks/github/${project.id}`, secret, 'ping', { zen: 'Keep it logically awesome.' })
  await page.reload()
  await page.getByText(/Last delivery received/).first().waitFor()
  await page.getByText(/Last delivery received/).first().scrollIntoViewIfNeeded()
  await inspectAll(page, 'webhooks', visitor)
  world.review.own = { secret, path: `/webhooks/github/${project.id}` }
  await visitor.leave()
}

/** A delivery that could not be worked on stays visible, and is replayed. */
async function deliveryReplayed(world) {
  const { system } = world
  const { forge, own } = world.review
  await forge.deliver(system.url, own.path, own.secret, 'push', '{"ref": ')
  await system.until('a delivery failed', async () => (await system.call('GET', '/api/deliveries?state=failed')).deliveries.length > 0)
  const visitor = await signedIn(world)
  const page = await visitor.open('/deliveries')
  await page.getByText('The body is not valid JSON.').first().waitFor()
  await inspectAll(page, 'deliveries', visitor)
  await page.getByLabel('State').selectOption('failed')
  await page.getByRole('button', { name: 'Replay push' }).first().click()
  await page.getByText('It is worked on once more.').waitFor()
  await page.getByText('The body is not valid JSON.').first().waitFor()
  await page.goto(`${system.url}/settings?show=forge`)
  await page.getByRole('heading', { name: 'Webhooks', exact: true }).waitFor()
  await page.getByRole('heading', { name: 'Webhooks', exact: true }).scrollIntoViewIfNeeded()
  await inspectAll(page, 'settings-forge', visitor)
  await visitor.leave()
  await forge.stop()
}

export default [
  ['a review: the missing credential is said and added', credentialAdded],
  ['a review: the panel, a comment, and a reply for the agent', panel],
  ['a review: approved and merged from the page', approvedAndMerged],
  ['a review: a webhook’s secret, and its test', webhook],
  ['a review: a delivery that failed is replayed', deliveryReplayed],
]
