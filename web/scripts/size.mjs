// What a browser loads before it shows a screen, compressed as the server sends it. Fails above the limit.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const LIMIT_KB = 180
const dist = fileURLToPath(new URL('../dist/', import.meta.url))
const files = readdirSync(dist).filter((name) => /\.(js|css|html|svg)$/.test(name))
const text = new Map(files.map((name) => [name, readFileSync(dist + name, 'utf8')]))
const size = (name) => gzipSync(text.get(name) ?? '', { level: 6 }).length / 1000

/** A file and everything that it imports at once, not later. */
function closure(name, seen = new Set()) {
  if (seen.has(name) || !text.has(name)) return seen
  seen.add(name)
  for (const [, other] of (text.get(name) ?? '').matchAll(/(?:from|import)\s*["']\.\/([\w.-]+\.js)["']/g)) closure(other, seen)
  return seen
}

const shell = closure('app.js', new Set(['index.html', 'app.css', 'favicon.svg']))
const screens = [...(text.get('app.js') ?? '').matchAll(/import\(\s*["'`]\.\/([\w.-]+\.js)["'`]\s*\)/g)].map(([, name]) => name)
const sum = (names) => [...names].reduce((total, name) => total + size(name), 0)

let worst = 0
console.log(`shell ${sum(shell).toFixed(1)} kB (${[...shell].join(', ')})`)
for (const screen of new Set(screens)) {
  const total = sum(closure(screen, new Set(shell)))
  worst = Math.max(worst, total)
  console.log(`${screen.padEnd(16)} first load ${total.toFixed(1)} kB`)
}
if (screens.length === 0) throw new Error('found no screens in app.js: the measurement has to be mended')
if (worst > LIMIT_KB) {
  console.error(`The first load is ${worst.toFixed(1)} kB compressed; at most ${LIMIT_KB} kB are allowed.`)
  process.exit(1)
}
