// The whole system on this machine, for the browser tests: stand-ins for the model and the forge, the API on its private
// Postgres, a coordinator with real containers. Everything is started as a user starts it, and ended by its id.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream, existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const START_LIMIT_MS = 120_000

/** A program with a log file and, where it writes one, a ready file. */
class Program {
  constructor(name, command, args, { dir, env = {}, ready = true }) {
    Object.assign(this, { name, command, args, env, dir, ready: ready ? join(dir, `${name}.ready`) : null })
    this.log = join(dir, `${name}.log`)
  }

  async start() {
    if (this.ready) rmSync(this.ready, { force: true })
    const log = createWriteStream(this.log, { flags: 'a' })
    await once(log, 'open')
    this.child = spawn(this.command, this.args, { env: this.env, stdio: ['ignore', log, log] })
    this.ended = once(this.child, 'exit')
    if (this.ready) await this.#untilReady()
    return this.ready ? JSON.parse(readFileSync(this.ready, 'utf8') || '{}') : null
  }

  async #untilReady() {
    const deadline = Date.now() + START_LIMIT_MS
    while (!existsSync(this.ready) || readFileSync(this.ready, 'utf8') === '') {
      if (this.child.exitCode !== null) throw new Error(`${this.name} did not start:\n${this.tail()}`)
      if (Date.now() > deadline) throw new Error(`${this.name} is not ready after ${START_LIMIT_MS} ms:\n${this.tail()}`)
      await sleep(50)
    }
  }

  tail(lines = 20) {
    return existsSync(this.log) ? readFileSync(this.log, 'utf8').split('\n').slice(-lines).join('\n') : ''
  }

  get text() {
    return readFileSync(this.log, 'utf8')
  }

  async stop(signal = 'SIGTERM') {
    if (!this.child || this.child.exitCode !== null || this.child.signalCode !== null) return
    this.child.kill(signal)
    await this.ended
  }
}

/** The programs of one test run, in a directory of their own. */
export class System {
  constructor({ bin, image, dir, script, addresses }) {
    Object.assign(this, { bin, image, dir, script, addresses, programs: [] })
    this.keys = { app: randomBytes(24).toString('hex'), worker: randomBytes(24).toString('hex') }
  }

  /** A clean environment: no key and no proxy of whoever runs the tests. */
  #env(more) {
    const { PATH, HOME, LANG } = process.env
    return { PATH, HOME, LANG: LANG ?? 'C.UTF-8', TMPDIR: process.env.TMPDIR ?? '/tmp', ...more }
  }

  #add(name, program, args, env, ready = true) {
    const made = new Program(name, join(this.bin, program), args, { dir: this.dir, env: this.#env(env), ready })
    this.programs.push(made)
    return made
  }

  async startTestbed() {
    const ready = join(this.dir, 'testbed.ready')
    const args = ['demo', '--listen', this.addresses, '--data-dir', join(this.dir, 'testbed'), '--ready-file', ready]
    this.testbed = this.#add('testbed', 'terarchitect-testbed', [...args, '--script', this.script], {})
    this.forge = await this.testbed.start()
  }

  /** Lets the scripted model reply where its script holds a reply under this name. */
  async release(name) {
    const response = await fetch(`${this.forge.chat_url}/release/${name}`, { method: 'POST' })
    if (!response.ok) throw new Error(`the scripted model did not release ${name}: ${response.status}`)
  }

  /** The first time on a free port; afterwards on the same one, as after a restart of the machine. */
  async startApi(more = {}) {
    const port = this.port ?? 0
    this.apiEnv = { ...this.apiEnv, ...more }
    const env = {
      TERARCHITECT_LISTEN: this.addresses.replaceAll(':0', `:${port}`),
      TERARCHITECT_DATA_DIR: join(this.dir, 'api'),
      TERARCHITECT_READY_FILE: join(this.dir, 'api.ready'),
      TERARCHITECT_API_KEY: this.keys.app,
      TERARCHITECT_WORKER_API_KEY: this.keys.worker,
      GITHUB_API_URL: this.forge.api_url,
      ...this.apiEnv,
    }
    this.programs = this.programs.filter((program) => program !== this.api)
    this.api = this.#add('api', 'terarchitect-api', [], env)
    this.url = (await this.api.start()).urls[0]
    this.port = new URL(this.url).port
  }

  async killApi() {
    await this.api.stop('SIGKILL')
  }

  async startCoordinator(more = {}) {
    const env = {
      TERARCHITECT_API_URL: this.url,
      TERARCHITECT_WORKER_API_KEY: this.keys.worker,
      GITHUB_API_URL: this.forge.api_url,
      AGENT_IMAGE: this.image,
      MAX_CONCURRENT_AGENTS: '2',
      DRAIN_MODE: 'cancel',
      COORDINATOR_STATE_DIR: join(this.dir, 'coordinator'),
      COORDINATOR_READY_FILE: join(this.dir, 'coordinator.ready'),
      ...more,
    }
    this.coordinator = this.#add('coordinator', 'terarchitect-coordinator', [], env)
    await this.coordinator.start()
  }

  /** Calls the API with the application's key, for what is not what the test is about. */
  async call(method, path, body) {
    const headers = { authorization: `Bearer ${this.keys.app}`, 'content-type': 'application/json' }
    const response = await fetch(this.url + path, { method, headers, body: body && JSON.stringify(body) })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return text && response.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text
  }

  /** Waits until `what` returns something; for state that no signal of the test itself announces. */
  async until(sentence, what, limitMs = 90_000) {
    const deadline = Date.now() + limitMs
    for (;;) {
      const found = await what()
      if (found) return found
      if (Date.now() > deadline) throw new Error(`timed out after ${limitMs} ms waiting until ${sentence}`)
      await sleep(100)
    }
  }

  async stop() {
    for (const program of [...this.programs].reverse()) await program.stop()
  }
}
