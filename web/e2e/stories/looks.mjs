import { inspectAll } from '../browser.mjs'
import { signedIn } from '../people.mjs'

const SCREENS = (world) => [
  ['board', `/projects/${world.project.id}/board`], ['inbox', '/inbox'], ['fleet', '/fleet'], ['projects', '/projects'],
  ['project', `/projects/${world.project.id}`], ['orders', '/orders'], ['order-new', '/orders/new'], ['schedules', '/schedules'], ['schedule-new', '/schedules/new'], ['settings', '/settings'], ['deliveries', '/deliveries'], ['people', '/people'], ['audit', '/audit'], ['first-start', '/start'],
]

async function settled(page) {
  await page.getByRole('heading', { level: 1 }).or(page.getByRole('navigation', { name: 'Main' })).first().waitFor()
  await page.waitForLoadState('load')
  await page.waitForFunction(() => document.querySelector('[aria-busy="true"]') === null)
}

/** Each screen as it is after all of the above. */
async function busy(world) {
  const visitor = await signedIn(world)
  await each(world, visitor, 'busy')
  await visitor.leave()
}

/** The same where every list is empty: what to do next is said. */
async function empty(world) {
  const { system } = world
  const project = await system.call('POST', '/api/projects', { name: 'Nothing yet', github_url: system.forge.repo_url, is_existing_repo: true })
  const visitor = await signedIn(world)
  const none = { '/api/inbox': { items: [], snoozed: 0 }, '/api/fleet': { coordinators: [], queue: [], stopped: false, stopped_at: null, stopped_by: null }, '/api/projects': [], '/api/audit': { entries: [], older: false }, '/api/deliveries': { deliveries: [], older: false }, '/api/v1/work-orders': { work_orders: [] }, '/api/v1/jobs': { jobs: [] } }
  for (const [path, json] of Object.entries(none)) await visitor.context.route((url) => url.pathname === path, (route) => route.request().method() === 'GET' ? route.fulfill({ json }) : route.continue())
  await each({ ...world, project }, visitor, 'empty', { wanted: (name) => ['board', 'inbox', 'fleet', 'projects', 'orders', 'schedules', 'deliveries', 'audit'].includes(name) })
  await visitor.leave()
}

/** The same where the server fails: what went wrong, under which number, and a way on. */
async function broken(world) {
  const visitor = await signedIn(world)
  const failure = { status: 500, json: { error: 'Something went wrong on the server; its log has the cause under this request.', code: 'internal', request_id: '0199-broken' } }
  await visitor.context.route((url) => url.pathname.startsWith('/api/') && !['/api/session', '/api/events', '/api/summary'].includes(url.pathname), (route) => route.fulfill(failure))
  await each(world, visitor, 'broken', { until: (page) => page.getByRole('alert').first().waitFor() })
  await visitor.leave()
}

async function each(world, visitor, state, { wanted = () => true, until = async () => {} } = {}) {
  const problems = []
  const page = await visitor.open('/inbox')
  for (const [name, path] of SCREENS(world)) {
    if (!wanted(name)) continue
    await page.goto(world.system.url + path)
    await settled(page).then(() => until(page)).catch((error) => problems.push(`${name}: ${error.message}`))
    await inspectAll(page, `${name}-${state}`, visitor).catch((error) => problems.push(error.message))
  }
  await page.close()
  if (problems.length > 0) throw new Error(problems.join('\n'))
}

export default [['every screen, busy', busy], ['every screen, empty', empty], ['every screen, while the server fails', broken]]
