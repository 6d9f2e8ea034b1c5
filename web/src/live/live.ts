/** The page's view of the event log: the same in the tab that leads and in those that follow. */
import { lead, renewLeadership } from './leader'
import type { Connection, LiveEvent, LiveMessage } from './protocol'
import { Seen } from './seen'
import { Source, type World } from './source'

/** A leader speaks with every sign of life from the server, which is every 15 seconds. */
const LEADER_SILENT_MS = 45_000

/** Screens wait this long for the log to be followed before they load; then they load anyway, and once more when it is. */
const READY_AFTER_MS = 700

export interface Handlers {
  events: (events: LiveEvent[]) => void
  resync: () => void
  opened: (at: number) => void
  signedOut: () => void
}

export class Live {
  private connection: Connection = { state: 'catching_up', since: Date.now(), polling: false }
  private position: string | null = null
  private seen = new Seen()
  private readonly listeners = new Set<() => void>()
  private readonly eventListeners = new Set<(events: LiveEvent[]) => void>()
  private readonly gapListeners = new Set<() => void>()
  private channel: BroadcastChannel | null = null
  private stopping: AbortController | null = null
  private leading: AbortController | null = null
  private heard = Date.now()
  private isReady = false

  constructor(private readonly handlers: Handlers) {}

  start(): void {
    if (this.stopping) return
    const stop = new AbortController()
    this.stopping = stop
    this.channel = new BroadcastChannel('terarchitect-live')
    this.channel.onmessage = (message: MessageEvent<LiveMessage>) => this.fromOtherTab(message.data)
    this.channel.postMessage({ type: 'hello' } satisfies LiveMessage)
    const timer = setInterval(() => this.checkLeader(), 10_000)
    const patience = setTimeout(() => this.becomeReady(), READY_AFTER_MS)
    stop.signal.addEventListener('abort', () => {
      clearInterval(timer)
      clearTimeout(patience)
    })
    void lead((signal) => this.leadUntil(signal), stop.signal)
  }

  stop(): void {
    this.stopping?.abort()
    this.channel?.close()
    this.stopping = null
    this.channel = null
  }

  /** Connects again, in whichever tab leads: the person has changed. */
  restart(): void {
    this.channel?.postMessage({ type: 'restart' } satisfies LiveMessage)
    this.leading?.abort()
  }

  /** For `useSyncExternalStore`. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }
  readonly current = (): Connection => this.connection
  /** Whether what is loaded now misses nothing: the log is followed, or it takes too long to wait for that. */
  readonly ready = (): boolean => this.isReady

  /** Each event once, in every tab. */
  onEvents(listener: (events: LiveEvent[]) => void): () => void {
    this.eventListeners.add(listener)
    return () => this.eventListeners.delete(listener)
  }

  /** Called when events may have been missed: what is kept outside of queries has to be asked for again. */
  onGap(listener: () => void): () => void {
    this.gapListeners.add(listener)
    return () => this.gapListeners.delete(listener)
  }

  private async leadUntil(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const own = new AbortController()
      const end = () => own.abort()
      signal.addEventListener('abort', end)
      this.leading = own
      const emit = (message: LiveMessage) => {
        renewLeadership()
        this.channel?.postMessage(message)
        this.take(message)
      }
      await new Source(browser, emit, this.position).run(own.signal)
      this.leading = null
      signal.removeEventListener('abort', end)
    }
  }

  private fromOtherTab(message: LiveMessage): void {
    if (message.type === 'hello') {
      if (this.leading) {
        const answer: LiveMessage = { type: 'connection', connection: this.connection, position: this.position }
        this.channel?.postMessage(answer)
      }
    } else if (message.type === 'restart') {
      this.leading?.abort()
    } else if (!this.leading) {
      this.take(message)
    }
  }

  private take(message: LiveMessage): void {
    this.heard = Date.now()
    switch (message.type) {
      case 'events': {
        this.position = message.position ?? this.position
        const fresh = message.events.filter((event) => this.seen.add(event.seq))
        if (fresh.length === 0) return
        this.handlers.events(fresh)
        for (const listener of this.eventListeners) listener(fresh)
        return
      }
      case 'connection':
        this.position = message.position ?? this.position
        this.show(message.connection)
        return
      case 'resync':
        // Perhaps another database: what was seen in the old one says nothing.
        this.seen = new Seen()
        this.handlers.resync()
        for (const listener of this.gapListeners) listener()
        return
      case 'opened':
        this.handlers.opened(message.at)
        for (const listener of this.gapListeners) listener()
        return
      case 'signed_out':
        this.handlers.signedOut()
    }
  }

  private checkLeader(): void {
    if (this.leading || Date.now() - this.heard < LEADER_SILENT_MS) return
    this.show({ state: 'offline', since: this.heard, polling: false })
  }

  private show(connection: Connection): void {
    const now = this.connection
    if (now.state === connection.state && now.since === connection.since && now.polling === connection.polling) return
    this.connection = connection
    for (const listener of this.listeners) listener()
    if (connection.state !== 'catching_up') this.becomeReady()
  }

  private becomeReady(): void {
    if (this.isReady) return
    this.isReady = true
    for (const listener of this.listeners) listener()
  }
}

const browser: World = {
  fetch: (input, init) => fetch(input, init),
  now: () => Date.now(),
  hidden: () => document.hidden,
  firstByteMs: 5_000,
  wait: (ms, signal) =>
    new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        window.removeEventListener('online', done)
        document.removeEventListener('visibilitychange', shown)
        resolve()
      }
      const shown = () => { if (!document.hidden) done() }
      const timer = setTimeout(done, ms)
      signal.addEventListener('abort', done)
      window.addEventListener('online', done)
      document.addEventListener('visibilitychange', shown)
    }),
}
