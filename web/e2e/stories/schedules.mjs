import assert from 'node:assert/strict'
import { inspectAll } from '../browser.mjs'
import { signedIn } from '../people.mjs'

/** A schedule begins with a template; what its expression means is seen while it is typed. */
async function scheduled(world) {
  const { system } = world
  const project = await system.call('POST', '/api/projects', { name: 'Scheduled', github_url: system.forge.repo_url, is_existing_repo: true })
  // What is launched there waits.
  await system.call('PUT', `/api/projects/${project.id}`, { paused: true })
  const visitor = await signedIn(world)
  const page = await visitor.open('/schedules')
  await page.getByRole('heading', { name: 'Nothing is scheduled' }).waitFor()
  await inspectAll(page, 'schedules-none', visitor)
  await page.getByRole('link', { name: /Update dependencies/ }).click()
  await page.getByRole('heading', { name: 'New schedule' }).waitFor()
  assert.equal(await page.getByLabel('Expression').inputValue(), '0 8 * * 1')
  const times = page.getByRole('region', { name: 'The next five times' })
  await times.getByRole('listitem').nth(4).waitFor()
  await page.getByLabel('Expression').fill('0 8 31 2 *')
  await page.getByText(/is never due/).waitFor()
  await page.getByLabel('Time zone').fill('Mars/Olympus')
  await page.getByLabel('Expression').fill('30 8 * * 1-5')
  await page.getByText(/such as Europe\/Berlin/).waitFor()
  await inspectAll(page, 'schedule-wrong', visitor)
  await page.getByLabel('Time zone').fill('Pacific/Auckland')
  await times.getByText(/there .*8:30/).first().waitFor()
  assert.equal(await times.getByRole('listitem').count(), 5)
  await page.getByLabel('Repository').selectOption({ label: 'Scheduled' })
  await inspectAll(page, 'schedule-new', visitor)
  await page.getByRole('button', { name: 'Create the schedule' }).click()
  await page.getByRole('heading', { name: 'Update dependencies', level: 1 }).waitFor()
  const [made] = (await system.call('GET', '/api/v1/jobs')).jobs
  assert.deepEqual([made.cron_expression, made.timezone, made.repo_id, made.enabled], ['30 8 * * 1-5', 'Pacific/Auckland', project.id, true])
  assert.equal(made.work_order_template.lines.length, 2)
  world.schedules = { visitor, page, made }
}

/** It is run by hand, paused, changed, and deleted after a question; what others do is seen at once. */
async function managed(world) {
  const { system } = world
  const { visitor, page, made } = world.schedules
  await page.getByRole('heading', { name: 'It has not run yet' }).waitFor()
  await page.getByRole('button', { name: /^Run now/ }).click()
  await page.getByRole('table').getByText('by hand').waitFor()
  await page.getByRole('button', { name: /^Pause/ }).click()
  await page.getByText('It runs only by hand.').waitFor()
  await inspectAll(page, 'schedule', visitor)
  const order = (await system.call('GET', `/api/v1/jobs/${made.id}/runs`)).runs[0].work_order_id
  await page.getByRole('tab', { name: 'Change' }).click()
  await page.getByLabel('Name').fill('Update them')
  await inspectAll(page, 'schedule-change', visitor)
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  await page.getByText('The schedule is saved.').waitFor()
  const now = (await system.call('GET', `/api/v1/jobs/${made.id}`)).job
  assert.deepEqual([now.name, now.enabled, now.work_order_template], ['Update them', false, made.work_order_template])
  await page.goto(`${system.url}/schedules`)
  await page.getByText('Paused').waitFor()
  await system.call('PATCH', `/api/v1/jobs/${made.id}`, { enabled: true })
  await page.getByText('Paused').waitFor({ state: 'detached' })
  await inspectAll(page, 'schedules', visitor)
  await page.getByRole('link', { name: 'Update them', exact: true }).click()
  await page.getByRole('link', { name: 'Open it' }).click()
  await page.getByRole('heading', { name: /^Update the dependencies/ }).waitFor()
  assert.ok(page.url().endsWith(order))
  await page.goto(`${system.url}/schedules/${made.id}`)
  await page.getByRole('button', { name: 'Delete', exact: true }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Delete the schedule' }).click()
  await page.getByRole('heading', { name: 'Nothing is scheduled' }).waitFor()
  assert.deepEqual((await system.call('GET', '/api/v1/jobs')).jobs, [])
  assert.equal((await system.call('GET', `/api/v1/work-orders/${order}`)).source, 'job')
  await visitor.leave()
}

export default [
  ['schedules: one begins with a template, and its times are seen while it is typed', scheduled],
  ['schedules: run by hand, paused, changed, deleted', managed],
]
