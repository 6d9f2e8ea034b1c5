import assert from 'node:assert/strict'
import { inspectAll } from '../browser.mjs'
import { signedIn } from '../people.mjs'

/** The API is killed in the middle of a run: the page says so, comes back by itself, and shows each entry once. */
async function killed(world) {
  const { system } = world
  const path = `/api/projects/${world.project.id}/tickets`
  const ticket = await system.call('POST', path, { title: 'Greet people while the API is killed', column_id: 'in_progress' })
  const visitor = await signedIn(world)
  const page = await visitor.open(`/projects/${world.project.id}/tickets/${ticket.id}`)
  let loads = 0
  page.on('load', () => { loads += 1 })
  await page.getByText('Write greet.sh').first().waitFor({ timeout: 60_000 })
  await system.killApi()
  await page.getByRole('status').filter({ hasText: 'Offline' }).waitFor({ timeout: 30_000 })
  await inspectAll(page, 'ticket-offline', visitor)
  await system.startApi()
  await page.getByRole('status').filter({ hasText: 'Live' }).waitFor({ timeout: 60_000 })
  await system.until('the ticket is in review', async () => (await system.call('GET', `${path}/${ticket.id}`)).column_id === 'in_review')
  const done = await system.call('GET', `${path}/${ticket.id}`)
  await page.locator(`a[href="${done.pr_url}"]`).first().waitFor({ timeout: 30_000 })
  assert.equal(loads, 0, 'the page was not loaded again')

  const stored = await system.call('GET', `${path}/${ticket.id}/timeline?limit=500`)
  const seqs = stored.entries.map((entry) => String(entry.seq))
  await system.until('the page shows every entry once', async () => {
    const shown = await page.locator('[data-seq]').evaluateAll((all) => all.map((one) => one.dataset.seq))
    assert.equal(new Set(shown).size, shown.length, `an entry is shown twice: ${shown}`)
    return shown.every((seq) => seqs.includes(seq))
  }, 20_000)
  await visitor.leave()
}

export default [['the API is killed during a run: nothing is lost or shown twice, and the page comes back', killed]]
