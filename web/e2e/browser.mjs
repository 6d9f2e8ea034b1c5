// Debian's Chromium, with what every test asserts on every screen: no script error, no finding of axe, nothing that
// overflows, no request to elsewhere.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import AxeBuilder from '@axe-core/playwright'
import { chromium } from 'playwright-core'

export const DESKTOP = { width: 1280, height: 800 }
export const PHONE = { width: 390, height: 844 }

export async function launch() {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
  // Root may only run it without its sandbox; the pages are our own.
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
}

/** A browser of one person: its cookies are its own. */
export class Visitor {
  constructor(context, base, screenshots) {
    Object.assign(this, { context, base, screenshots, complaints: [] })
  }

  static async enter(browser, base, { scheme = 'light', viewport = DESKTOP, screenshots } = {}) {
    const phone = viewport === PHONE
    const context = await browser.newContext({ colorScheme: scheme, viewport, hasTouch: phone, isMobile: phone })
    context.setDefaultTimeout(20_000)
    return new Visitor(context, base, screenshots)
  }

  async open(path = '/') {
    const page = await this.context.newPage()
    page.on('pageerror', (error) => this.complaints.push(`script error: ${error.message}`))
    page.on('console', (message) => {
      // A refused request is reported by the browser itself, and shown by the page.
      if (message.type() === 'error' && !/Failed to load resource|ERR_/.test(message.text())) {
        this.complaints.push(`console: ${message.text()}`)
      }
    })
    page.on('request', (request) => {
      const url = new URL(request.url())
      if (url.protocol.startsWith('http') && url.origin !== new URL(this.base).origin && !this.elsewhere?.(url)) {
        this.complaints.push(`a request to elsewhere: ${url.origin}`)
      }
    })
    await page.goto(this.base + path)
    return page
  }

  async leave() {
    await this.context.close()
    if (this.complaints.length > 0) throw new Error(this.complaints.join('\n'))
  }
}

/** What overflows: the page itself sideways, and texts that are cut without a sign of it. */
async function overflows(page) {
  return page.evaluate(() => {
    const found = []
    const root = document.documentElement
    if (root.scrollWidth > root.clientWidth + 1) found.push(`the page is ${root.scrollWidth - root.clientWidth} px too wide`)
    for (const element of document.querySelectorAll('button, a, h1, h2, h3, label, th, td, p, li, dt, dd')) {
      const style = getComputedStyle(element)
      const hides = style.overflowX === 'hidden' || style.overflowX === 'clip'
      if (hides && style.textOverflow !== 'ellipsis' && element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 1) {
        if (!element.closest('[data-clips]')) found.push(`cut off: <${element.localName}> ${element.textContent.trim().slice(0, 60)}`)
      }
    }
    return found
  })
}

/** Waits until nothing moves any more: colours in the middle of a transition are no one's colours. */
async function atRest(page) {
  await page.evaluate(async () => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve))
    const moving = () => document.getAnimations().filter(({ effect }) => effect?.getComputedTiming().endTime !== Infinity)
    // A colour that is inherited while it changes begins a change of its own when that one ends.
    do {
      await Promise.allSettled(moving().map(({ finished }) => finished))
      await frame()
      await frame()
    } while (moving().length > 0)
  })
}

/** Those that are not just scrolled under the bar at the top or at the bottom: a finger scrolls, and they are whole. */
async function inReach(page, nodes) {
  const under = await page.evaluate((selectors) => {
    const bars = [...document.querySelectorAll('body header, body nav')].map((bar) => bar.getBoundingClientRect()).filter(({ height }) => height > 0)
    return selectors.map((selector) => {
      const target = document.querySelector(selector)?.getBoundingClientRect()
      const inner = document.querySelector(selector)?.closest('header, nav')
      return Boolean(target) && !inner && bars.some((bar) => target.top < bar.bottom && target.bottom > bar.top && target.left < bar.right && target.right > bar.left)
    })
  }, nodes.map(({ target }) => String(target[0])))
  return nodes.filter((_, index) => !under[index])
}

/** Asserts that a screen is in order, and takes its picture. */
export async function inspect(page, name, visitor) {
  await atRest(page)
  const problems = (await overflows(page)).map((text) => `${name}: ${text}`)
  const { violations } = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']).analyze()
  for (const { id, help, nodes: found } of violations) {
    const nodes = id === 'target-size' ? await inReach(page, found) : found
    if (nodes.length > 0) problems.push(`${name}: axe ${id}: ${help}: ${nodes.map((node) => `${node.html.slice(0, 160)} (${node.failureSummary?.replace(/\s+/g, ' ').slice(0, 200)})`).slice(0, 3).join(' | ')}`)
  }
  if (visitor.screenshots) {
    mkdirSync(visitor.screenshots, { recursive: true })
    await page.screenshot({ path: join(visitor.screenshots, `${name}.png`) })
  }
  if (problems.length > 0) throw new Error(problems.join('\n'))
}

/** The screen in each of its looks. */
export async function inspectAll(page, name, visitor) {
  const problems = []
  const size = page.viewportSize()
  for (const [look, scheme, viewport] of [['light', 'light', DESKTOP], ['dark', 'dark', DESKTOP], ['phone', 'light', PHONE]]) {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' })
    await page.setViewportSize(viewport)
    await inspect(page, `${name}-${look}`, visitor).catch((error) => problems.push(error.message))
  }
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' })
  await page.setViewportSize(size)
  if (problems.length > 0) throw new Error(problems.join('\n'))
}
