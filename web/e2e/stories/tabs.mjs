import assert from 'node:assert/strict'
import { signedIn } from '../people.mjs'

/** HTTP/1.1 allows six connections to a host over all tabs: one stream for eight tabs, and every one of them is live. */
async function eightTabs(world) {
  const { system } = world
  const visitor = await signedIn(world)
  const board = `/projects/${world.project.id}/board`
  const streams = []
  visitor.context.on('request', (request) => { if (new URL(request.url()).pathname === '/api/events') streams.push(request) })
  const tabs = []
  for (let number = 0; number < 8; number += 1) tabs.push(await visitor.open(board))
  for (const tab of tabs) await tab.getByRole('status').filter({ hasText: 'Live' }).waitFor()
  assert.equal(streams.length, 1, 'one connection for all tabs')

  await system.call('POST', `/api/projects/${world.project.id}/tickets`, { title: 'Seen in every tab', column_id: 'backlog' })
  for (const tab of tabs) {
    await tab.bringToFront()
    await tab.getByText('Seen in every tab').first().waitFor()
  }
  // The tab that leads is closed: another one takes over, without a gap.
  await tabs.shift().close()
  await system.call('POST', `/api/projects/${world.project.id}/tickets`, { title: 'Seen after the first tab was closed', column_id: 'backlog' })
  for (const tab of tabs) {
    await tab.bringToFront()
    await tab.getByText('Seen after the first tab was closed').first().waitFor()
  }
  assert.equal(streams.length, 2)
  await visitor.leave()
}

export default [['eight tabs of one browser share one connection', eightTabs]]
