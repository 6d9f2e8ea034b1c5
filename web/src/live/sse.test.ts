import { describe, expect, it } from 'vitest'
import { SseParser } from './sse'

describe('the stream parser', () => {
  it('returns whole blocks, however the stream is cut', () => {
    const stream = 'retry: 2000\nid: 7:7\n\nid: 8\ndata: {"seq":8}\n\n: keep-alive\nid: 9\n\nevent: resync\ndata: a\ndata: b\n\n'
    for (let cut = 1; cut < stream.length; cut += 3) {
      const parser = new SseParser()
      const items = [...parser.push(stream.slice(0, cut)), ...parser.push(stream.slice(cut))]
      expect(items).toEqual([
        { event: 'message', data: '', id: '7:7' },
        { event: 'message', data: '{"seq":8}', id: '8' },
        { event: 'message', data: '', id: '9' },
        { event: 'resync', data: 'a\nb', id: null },
      ])
    }
  })

  it('takes CRLF, and fields without a space', () => {
    expect(new SseParser().push('id:1\r\ndata:x\r\n\r\n')).toEqual([{ event: 'message', data: 'x', id: '1' }])
  })

  it('keeps an unfinished block to itself', () => {
    expect(new SseParser().push('data: half\n')).toEqual([])
  })
})
