import { describe, expect, it } from 'vitest'
import type { LiveMessage } from './protocol'
import { Source, type World } from './source'

type Answer = (url: URL, accept: string, signal: AbortSignal) => Response | Promise<Response>

/** A server of scripted answers; the last one is given from then on. */
function world(answers: Answer[], clock = { now: 1_000 }) {
  const asked: string[] = []
  const made: World = {
    now: () => clock.now,
    hidden: () => false,
    firstByteMs: 20,
    wait: async (ms) => { clock.now += ms },
    fetch: async (input, init) => {
      const url = new URL(String(input), 'http://server')
      const accept = new Headers(init?.headers).get('accept') ?? ''
      asked.push(`${accept === 'application/json' ? 'page' : 'stream'} after ${url.searchParams.get('after')}`)
      const answer = answers.length > 1 ? answers.shift() : answers[0]
      if (!answer) throw new Error('no answer')
      return answer(url, accept, init?.signal as AbortSignal)
    },
  }
  return { made, asked, clock }
}

const event = (seq: number) => `id: p${seq}\ndata: ${JSON.stringify({ seq, kind: 'ticket.changed', actor: 'local', data: {}, created_at: '' })}\n\n`
const stream = (text: string): Answer => () => new Response(text)
const status = (code: number): Answer => () => new Response('', { status: code })
const down: Answer = () => { throw new TypeError('refused') }
const page = (seqs: number[], next: string, more = false): Answer => () => Response.json({ events: seqs.map((seq) => ({ seq, kind: 'job.due', actor: 'a', data: {}, created_at: '' })), next, more })

/** Runs until `enough` messages fit, and returns all of them. */
async function follow(answers: Answer[], enough: (messages: LiveMessage[]) => boolean, position: string | null = null) {
  const stop = new AbortController()
  const { made, asked, clock } = world(answers)
  const messages: LiveMessage[] = []
  const source = new Source(made, (message) => {
    messages.push(message)
    if (enough(messages)) stop.abort()
  }, position)
  await source.run(stop.signal)
  return { messages, asked, clock }
}

const seqs = (messages: LiveMessage[]) => messages.flatMap((message) => (message.type === 'events' ? message.events.map(({ seq }) => seq) : []))
const states = (messages: LiveMessage[]) => messages.flatMap((message) => (message.type === 'connection' ? [message.connection.state] : [])).filter((state, at, all) => state !== all[at - 1])

describe('the source of events', () => {
  it('begins now, and resumes after the last event when the line breaks', async () => {
    const { messages, asked } = await follow([stream(`retry: 2000\nid: p0\n\n${event(1)}${event(2)}`), down, stream(`retry: 2000\n\n${event(3)}`)], (all) => seqs(all).includes(3))
    expect(seqs(messages)).toEqual([1, 2, 3])
    expect(asked).toEqual(['stream after now', 'stream after p2', 'stream after p2'])
    expect(messages.filter(({ type }) => type === 'opened')).toHaveLength(1)
    expect(states(messages)).toEqual(['catching_up', 'live', 'catching_up', 'offline'])
  })

  it('keeps the position of keep-alives', async () => {
    const { asked } = await follow([stream('id: p0\n\n: keep-alive\nid: p9\n\n'), stream(event(10))], (all) => seqs(all).includes(10))
    expect(asked[1]).toBe('stream after p9')
  })

  it('passes a resync on, and goes on from where the server says', async () => {
    const { messages, asked } = await follow([stream('retry: 2000\nevent: resync\ndata: {}\nid: p50\n\n'), stream(event(51))], (all) => seqs(all).includes(51), 'p1')
    expect(messages.some(({ type }) => type === 'resync')).toBe(true)
    expect(asked).toEqual(['stream after p1', 'stream after p50'])
  })

  it('reads pages where the stream is held back, and tries the stream again later', async () => {
    // A proxy that holds the answer back until the request is given up.
    const held: Answer = (_url, _accept, signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError'))))
    const { messages, asked, clock } = await follow([held, page([], 'p4'), page([5], 'p5', true), page([6], 'p6')], (all) => seqs(all).includes(6))
    expect(asked.slice(0, 4)).toEqual(['stream after now', 'page after now', 'page after p4', 'page after p5'])
    expect(seqs(messages)).toEqual([5, 6])
    expect(messages.some((message) => message.type === 'connection' && message.connection.polling)).toBe(true)
    expect(clock.now).toBeGreaterThan(1_000)
  })

  it('loads everything again when the position of a page is too old', async () => {
    const held: Answer = (_url, _accept, signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError'))))
    const { messages, asked } = await follow([held, status(410), page([9], 'p9')], (all) => seqs(all).includes(9), 'old')
    expect(messages.some(({ type }) => type === 'resync')).toBe(true)
    expect(asked).toEqual(['stream after old', 'page after old', 'page after now'])
  })

  it('says that nobody is signed in, and waits long before it asks again', async () => {
    const { messages, clock } = await follow([status(401), stream('id: p1\n\n')], (all) => all.some(({ type }) => type === 'opened'))
    expect(messages.some(({ type }) => type === 'signed_out')).toBe(true)
    expect(clock.now).toBeGreaterThan(10_000)
  })
})
