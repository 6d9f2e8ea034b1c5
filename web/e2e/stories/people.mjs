import assert from 'node:assert/strict'
import { Visitor, inspectAll } from '../browser.mjs'
import { signedIn } from '../people.mjs'

const grace = { email: 'grace@example.com', name: 'Grace', password: 'another few plain words' }

/** An admin invites; the link makes a viewer, who sees and may not change; as a member she may; signed out she is out. */
async function invitationAndRoles(world) {
  const { system } = world
  const ada = await signedIn(world)
  const people = await ada.open('/people')
  await people.getByRole('button', { name: /invite/i }).first().click()
  const dialog = people.getByRole('dialog')
  await dialog.getByLabel(/email/i).fill(grace.email)
  await dialog.getByLabel('Role').selectOption('viewer')
  await dialog.getByRole('button', { name: 'Make the link' }).click()
  const link = await people.getByText(/\/link#/).first().textContent()
  const token = link.match(/#([\w-]+)/)[1]
  await inspectAll(people, 'people-invited', ada)

  const visitor = await Visitor.enter(world.browser, system.url, { screenshots: world.screenshots })
  const page = await visitor.open(`/link#${token}`)
  await page.getByLabel('Name').fill(grace.name)
  await page.getByLabel('Password', { exact: true }).fill(grace.password)
  await page.getByRole('button', { name: 'Make the account' }).click()
  await page.getByRole('navigation', { name: 'Main' }).first().waitFor()
  await page.goto(`${system.url}/projects/${world.project.id}/board`)
  await page.getByRole('status').filter({ hasText: 'Live' }).waitFor()
  await page.keyboard.press('c')
  assert.equal(await page.getByRole('dialog').count(), 0, 'a viewer is not offered what the server refuses')
  const refused = await visitor.context.request.post(`${system.url}/api/projects/${world.project.id}/tickets`, { data: { title: 'No' }, headers: { origin: system.url, 'sec-fetch-site': 'same-origin' } })
  assert.equal(refused.status(), 403)

  const known = (await system.call('GET', '/api/people')).find((person) => person.email === grace.email)
  await system.call('PATCH', `/api/people/${known.id}`, { role: 'member' })
  await page.getByRole('button', { name: /new ticket/i }).first().waitFor()
  await page.keyboard.press('c')
  await page.getByRole('dialog').getByLabel(/title/i).fill('Made by a member')
  await page.getByRole('dialog').getByRole('button', { name: 'Create', exact: true }).click()
  await page.getByText('Made by a member').first().waitFor()

  const audit = await ada.open('/audit')
  await audit.getByRole('listitem').filter({ hasText: 'Grace' }).first().waitFor()
  await inspectAll(audit, 'audit-busy', ada)
  await system.call('PATCH', `/api/people/${known.id}`, { disabled: true })
  // Over what she was doing, which is kept.
  await page.getByRole('dialog', { name: 'You are signed out' }).waitFor()
  await inspectAll(page, 'signed-out', visitor)
  await ada.leave()
  await visitor.leave()
}

/** A wrong password is refused in words, and after a few tries slowed down. */
async function wrongPassword(world) {
  const visitor = await Visitor.enter(world.browser, world.system.url, { screenshots: world.screenshots })
  const page = await visitor.open('/sign-in')
  await page.getByLabel('Email').fill('nobody@example.com')
  await page.getByLabel('Password', { exact: true }).fill('not the password')
  await inspectAll(page, 'sign-in', visitor)
  await page.getByRole('button', { name: /^sign in/i }).click()
  await page.getByText(/do not belong together/).first().waitFor()
  await inspectAll(page, 'sign-in-refused', visitor)
  await visitor.leave()
}

/** A command asks to be signed in: one person signs in first and approves, another code is denied, a third one is wrong. */
async function commandInABrowser(world) {
  const { system, admin } = world
  const begin = async () => (await fetch(`${system.url}/api/device-logins`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name: 'terarchitect on a-laptop-with-a-rather-long-name.example' }) })).json()
  const ask = async (begun) => (await fetch(`${system.url}/api/device-logins/token`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ device_code: begun.device_code }) })).json()
  const begun = await begin()
  const visitor = await Visitor.enter(world.browser, system.url, { screenshots: world.screenshots })
  const page = await visitor.open(`/device?code=${begun.user_code}`)
  await page.getByLabel('Email').fill(admin.email)
  await page.getByLabel('Password', { exact: true }).fill(admin.password)
  await page.getByRole('button', { name: /^sign in/i }).click()
  await page.getByRole('heading', { name: 'Let this program sign in?' }).waitFor()
  await page.getByText(begun.user_code).waitFor()
  await inspectAll(page, 'device', visitor)
  await page.getByRole('button', { name: 'Approve' }).focus()
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Approved' }).waitFor()
  await inspectAll(page, 'device-approved', visitor)
  const answer = await ask(begun)
  assert.equal(answer.state, 'approved')
  assert.equal((await fetch(`${system.url}/api/projects`, { headers: { authorization: `Bearer ${answer.token}` } })).status, 200)
  await page.reload()
  await page.getByRole('heading', { name: 'This code does not work any more' }).waitFor()
  await inspectAll(page, 'device-over', visitor)

  const other = await begin()
  await page.goto(`${system.url}/device`)
  await page.getByLabel('Code').fill('bbbb-bbbb')
  await page.keyboard.press('Enter')
  await page.getByText('No program waits with this code').waitFor()
  await inspectAll(page, 'device-wrong', visitor)
  await page.getByLabel('Code').fill(other.user_code.toLowerCase().replace('-', ''))
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: 'Deny' }).click()
  await page.getByRole('heading', { name: 'Denied' }).waitFor()
  assert.equal((await ask(other)).state, 'denied')
  await visitor.leave()
}

export default [
  ['an invitation makes a viewer; roles act at once; who is disabled is out', invitationAndRoles],
  ['a wrong password is refused in words', wrongPassword],
  ['a command is signed in from a browser', commandInABrowser],
]
