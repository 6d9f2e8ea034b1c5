/**
 * Follows `GET /api/events` for as long as it is asked to: one stream, read with `fetch` and not with `EventSource`, because
 * that one hides the keep-alive comments (the only proof that a quiet line is alive), headers, and why it failed. Where no
 * byte arrives in time, something on the way holds the stream back: then pages are read, and the stream is tried again later.
 */
import type { Connection, LiveEvent, LiveMessage, LiveState } from './protocol'
import { SseParser } from './sse'

/** The server sends a comment every 15 seconds. */
const SILENCE_MS = 40_000
/** No more of the backlog for this long: it has been read. */
const QUIET_MS = 600
const POLL_MS = 2_000
const POLL_HIDDEN_MS = 15_000
const TRY_STREAM_AGAIN_MS = 300_000
const MAX_WAIT_MS = 15_000
const BETWEEN_STREAMS_MS = 400

/** What the source needs from the world; tests pass their own. */
export interface World {
  fetch: typeof fetch
  now: () => number
  /** Resolves after so many milliseconds, or sooner when it may be worth trying again. */
  wait: (ms: number, signal: AbortSignal) => Promise<void>
  hidden: () => boolean
  /** A stream without a byte for this long is held back by something on the way. */
  firstByteMs: number
}

class HeldBack extends Error {}
class SignedOut extends Error {}
class TooOld extends Error {}

export class Source {
  private connection: Connection
  private failures = 0
  private pollUntil = 0

  constructor(
    private readonly world: World,
    private readonly emit: (message: LiveMessage) => void,
    private position: string | null,
  ) {
    this.connection = { state: 'catching_up', since: world.now(), polling: false }
  }

  /** Returns when the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    this.report('catching_up')
    while (!signal.aborted) {
      try {
        if (this.world.now() < this.pollUntil) await this.poll(signal)
        else await this.stream(signal)
        if (signal.aborted) return
        this.report('catching_up')
        await this.world.wait(BETWEEN_STREAMS_MS, signal)
      } catch (error) {
        if (signal.aborted) return
        await this.recover(error, signal)
      }
    }
  }

  private async recover(error: unknown, signal: AbortSignal): Promise<void> {
    if (error instanceof HeldBack) {
      this.pollUntil = this.world.now() + TRY_STREAM_AGAIN_MS
      this.report('catching_up')
      return
    }
    if (error instanceof TooOld) {
      this.resync()
      return
    }
    this.failures += 1
    this.report('offline')
    if (error instanceof SignedOut) this.emit({ type: 'signed_out' })
    const base = error instanceof SignedOut ? MAX_WAIT_MS : Math.min(MAX_WAIT_MS, 500 * 2 ** Math.min(this.failures, 5))
    await this.world.wait(base * (0.75 + Math.random() / 2), signal)
  }

  private async stream(outer: AbortSignal): Promise<void> {
    const own = new AbortController()
    const end = () => own.abort()
    outer.addEventListener('abort', end)
    let timer = setTimeout(end, this.world.firstByteMs)
    let quiet: ReturnType<typeof setTimeout> | undefined
    let started = false
    try {
      const resumed = this.position !== null
      const response = await this.request('text/event-stream', this.position ?? 'now', own.signal)
      const reader = response.body?.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array<ArrayBuffer>>).getReader()
      if (!reader) throw new HeldBack()
      const parser = new SseParser()
      for (;;) {
        const { done, value } = await reader.read()
        if (done) return
        clearTimeout(timer)
        timer = setTimeout(end, SILENCE_MS)
        this.take(parser.push(value))
        if (!started) {
          started = true
          this.failures = 0
          this.pollUntil = 0
          if (!resumed) this.emit({ type: 'opened', at: this.world.now() })
        }
        clearTimeout(quiet)
        if (resumed && this.connection.state !== 'live') quiet = setTimeout(() => this.report('live'), QUIET_MS)
        else this.report('live')
      }
    } catch (error) {
      // Our own timer ended it: before the first byte something holds the stream back, later the line is dead.
      if (own.signal.aborted && !outer.aborted && !started) throw new HeldBack()
      if (own.signal.aborted && !outer.aborted) return
      throw error
    } finally {
      clearTimeout(timer)
      clearTimeout(quiet)
      outer.removeEventListener('abort', end)
      own.abort()
    }
  }

  private async poll(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.world.now() < this.pollUntil) {
      const fromNow = this.position === null
      const at = this.world.now()
      const response = await this.request('application/json', this.position ?? 'now', signal)
      const page = (await response.json()) as { events: LiveEvent[]; next: string; more: boolean }
      this.failures = 0
      this.position = page.next
      if (page.events.length > 0) this.emit({ type: 'events', events: page.events, position: this.position })
      if (fromNow) this.emit({ type: 'opened', at })
      this.report(page.more ? 'catching_up' : 'live')
      if (!page.more) await this.world.wait(this.world.hidden() ? POLL_HIDDEN_MS : POLL_MS, signal)
    }
  }

  private async request(accept: string, after: string, signal: AbortSignal): Promise<Response> {
    const query = new URLSearchParams({ after })
    if (accept === 'application/json') query.set('limit', '500')
    const response = await this.world.fetch(`/api/events?${query}`, {
      headers: { accept }, credentials: 'same-origin', cache: 'no-store', signal,
    })
    if (response.status === 401 || response.status === 403) throw new SignedOut()
    if (response.status === 410) throw new TooOld()
    if (!response.ok) throw new Error(`the event log answered ${response.status}`)
    return response
  }

  private take(items: ReturnType<SseParser['push']>): void {
    let events: LiveEvent[] = []
    for (const item of items) {
      if (item.id !== null) this.position = item.id
      if (item.event === 'resync') {
        events = []
        this.emit({ type: 'resync' })
      } else if (item.event === 'message' && item.data !== '') {
        events.push(JSON.parse(item.data) as LiveEvent)
      }
    }
    if (events.length > 0) this.emit({ type: 'events', events, position: this.position })
  }

  private resync(): void {
    this.position = null
    this.emit({ type: 'resync' })
  }

  private report(state: LiveState): void {
    const polling = this.world.now() < this.pollUntil
    if (state !== this.connection.state || polling !== this.connection.polling) {
      this.connection = { state, since: this.world.now(), polling }
    }
    this.emit({ type: 'connection', connection: this.connection, position: this.position })
  }
}
