// Runs the stories one after the other on one system, and says how long each took. `scripts/page` calls it.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { launch } from './browser.mjs'
import { System } from './system.mjs'
import budgets from './stories/budgets.mjs'
import checkpoints from './stories/checkpoints.mjs'
import firstStart from './stories/first-start.mjs'
import killed from './stories/killed.mjs'
import large from './stories/large.mjs'
import looks from './stories/looks.mjs'
import orders from './stories/orders.mjs'
import people from './stories/people.mjs'
import provider from './stories/provider.mjs'
import proxy from './stories/proxy.mjs'
import review from './stories/review.mjs'
import schedules from './stories/schedules.mjs'
import tabs from './stories/tabs.mjs'
import together from './stories/together.mjs'
import troubles from './stories/troubles.mjs'
import verification from './stories/verification.mjs'

// In this order: later ones use what earlier ones made.
const stories = [firstStart, troubles, together, tabs, killed, proxy, people, provider, review, checkpoints, orders, schedules, verification, budgets, large, looks].flat()

const { BIN, IMAGE, DIR, OUT, ADDRESSES, ONLY = '' } = process.env
const script = join(fileURLToPath(new URL('.', import.meta.url)), 'script.json')
const system = new System({ bin: BIN, image: IMAGE, dir: DIR, script, addresses: ADDRESSES })
const world = { system, out: OUT, screenshots: join(OUT, 'screens'), admin: { email: 'ada@example.com', name: 'Ada', password: 'a few plain words' } }
const wanted = ONLY.split(' ').filter(Boolean)
let failed = 0

async function tell(name, story) {
  const began = Date.now()
  try {
    await story(world)
    console.log(`    ok    ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`)
  } catch (error) {
    failed += 1
    console.log(`    FAILED ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)\n${String(error.stack ?? error).replace(/^/gm, '      ')}`)
    await picturesOf(name)
  }
}

/** What each open page shows when a story fails. */
async function picturesOf(name) {
  const pages = world.browser.contexts().flatMap((context) => context.pages())
  for (const [number, page] of pages.entries()) {
    await page.screenshot({ path: join(OUT, `failed-${name.replace(/\W+/g, '-').slice(0, 50)}-${number}.png`) }).catch((error) => console.log(`      no picture: ${error.message}`))
  }
}

try {
  await system.startTestbed()
  await system.startApi()
  world.browser = await launch()
  for (const [name, story, { needed = false } = {}] of stories) {
    if (wanted.length > 0 && !needed && !wanted.some((word) => name.includes(word))) continue
    await tell(name, story)
  }
} finally {
  await world.browser?.close()
  await system.stop()
}
process.exitCode = failed > 0 ? 1 : 0
