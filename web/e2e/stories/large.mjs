import assert from 'node:assert/strict'
import { signedIn } from '../people.mjs'

const LONGEST_TASK_MS = 100
const TICKETS = 2_000
const ENTRIES = 5_000
const LINES = 100_000

/** Long tasks of the main thread from now on. The first moments of a page are loading, and nobody types then. */
async function watchLongTasks(page) {
  await page.evaluate(() => {
    globalThis.longTasks = []
    new PerformanceObserver((list) => { for (const entry of list.getEntries()) globalThis.longTasks.push(Math.round(entry.duration)) }).observe({ type: 'longtask' })
  })
  return async () => page.evaluate(() => globalThis.longTasks)
}

async function scroll(page, selector) {
  const box = await page.locator(selector).first().boundingBox()
  await page.mouse.move(box.x + box.width / 2, box.y + Math.min(box.height, 600) / 2)
  for (let step = 0; step < 60; step += 1) await page.mouse.wheel(0, step % 10 === 9 ? -2_000 : 1_500)
}

function assertSmooth(what, tasks) {
  const long = tasks.filter((ms) => ms > LONGEST_TASK_MS)
  console.log(`          ${what}: ${tasks.length} long tasks, the longest ${Math.max(0, ...tasks)} ms`)
  assert.ok(long.length === 0, `${what}: tasks of ${long.join(', ')} ms, and none may take longer than ${LONGEST_TASK_MS} ms`)
}

async function manyTickets(world) {
  const { system } = world
  const project = await system.call('POST', '/api/projects', { name: 'Large', github_url: system.forge.repo_url, is_existing_repo: true })
  world.large = project
  const columns = ['backlog', 'in_review', 'done']
  let next = 0
  const make = async () => {
    while (next < TICKETS) {
      const number = next
      next += 1
      await system.call('POST', `/api/projects/${project.id}/tickets`, { title: `Ticket number ${number} of a large board`, column_id: columns[number % 3] })
    }
  }
  await Promise.all(Array.from({ length: 8 }, make))
  const visitor = await signedIn(world)
  const page = await visitor.open(`/projects/${project.id}/board`)
  await page.getByText('Ticket number 0 of').first().waitFor()
  const tasks = await watchLongTasks(page)
  await scroll(page, '[data-column]')
  await page.getByRole('searchbox', { name: 'Find tickets' }).pressSequentially('number 1999', { delay: 40 })
  await page.getByText('Ticket number 1999 of').first().waitFor()
  assertSmooth(`${TICKETS} tickets on a board`, await tasks())
  await visitor.leave()
}

async function longLogAndDiff(world) {
  const { system } = world
  const path = `/api/projects/${world.large.id}/tickets`
  const ticket = await system.call('POST', path, { title: 'A long story', column_id: 'backlog' })
  const worker = async (method, where, body) => {
    const headers = { authorization: `Bearer ${system.keys.worker}`, 'content-type': 'application/json' }
    const response = await fetch(system.url + where, { method, headers, body: JSON.stringify(body) })
    assert.ok(response.ok, `${where}: ${response.status} ${await response.clone().text()}`)
    return response.json()
  }
  let next = 0
  const write = async () => {
    while (next < ENTRIES) {
      const number = next
      next += 1
      const turn = Math.floor(number / 250) + 1
      await worker('POST', `${path}/${ticket.id}/logs`, {
        session_id: 'large', step: 'tool', summary: `Tool call ${number} of a long story`,
        data: { kind: 'tool', phase: 'execution', turn, tool: 'bash', title: `command ${number}`, status: 'completed', took_ms: 12 },
      })
    }
  }
  await Promise.all(Array.from({ length: 8 }, write))
  const lines = Array.from({ length: LINES }, (_, number) => `+line ${number} of a file that an agent wrote`).join('\n')
  const patch = `diff --git a/large.txt b/large.txt\nnew file mode 100644\n--- /dev/null\n+++ b/large.txt\n@@ -0,0 +1,${LINES} @@\n${lines}\n`
  await worker('PUT', `${path}/${ticket.id}/diffs`, { attempt: 1, turn: null, commit: 'a'.repeat(40), base: 'b'.repeat(40), files: 1, added: LINES, removed: 0, patch, truncated: false })

  const visitor = await signedIn(world)
  const page = await visitor.open(`/projects/${world.large.id}/tickets/${ticket.id}`)
  await page.getByText(`command ${ENTRIES - 1}`).or(page.getByText(`Tool call ${ENTRIES - 1} `)).first().waitFor()
  let tasks = await watchLongTasks(page)
  await scroll(page, '[role=region][aria-label=Log]')
  await page.getByPlaceholder('Tell the agent').pressSequentially('Typing never waits.', { delay: 30 })
  assertSmooth(`${ENTRIES} log entries`, await tasks())

  await page.getByRole('tab', { name: /diff|changes/i }).click()
  await page.getByText('line 1 of a file').first().waitFor()
  await scroll(page, '[role=region][aria-label=Changes]')
  assertSmooth(`a diff of ${LINES} lines`, await tasks())
  await visitor.leave()
}

/** Nobody needs a large board any more. */
async function deleted(world) {
  const { system, large } = world
  await system.call('DELETE', `/api/projects/${large.id}`, { confirm_name: large.name })
  assert.equal((await system.call('GET', '/api/projects')).some(({ id }) => id === large.id), false)
}

export default [
  ['2 000 tickets on a board: scrolling and typing never wait', manyTickets],
  ['5 000 log entries and a diff of 100 000 lines: scrolling and typing never wait', longLogAndDiff],
  ['a project of 2 000 tickets is deleted', deleted],
]
