/** A parser for Server-Sent Events (WHATWG HTML, 9.2.6) that also reports comments, since they are a sign of life. */

export interface SseItem {
  event: string
  data: string
  /** The id that was set in this block, if any. */
  id: string | null
}

export class SseParser {
  private rest = ''
  private event = ''
  private data: string[] = []
  private id: string | null = null

  /** Takes the next piece of the stream, of any length, and returns the blocks that are complete now. */
  push(piece: string): SseItem[] {
    const items: SseItem[] = []
    const text = this.rest + piece
    let start = 0
    for (;;) {
      const end = text.indexOf('\n', start)
      if (end < 0) break
      const line = text.charCodeAt(end - 1) === 13 && end > start ? text.slice(start, end - 1) : text.slice(start, end)
      start = end + 1
      if (line !== '') this.field(line)
      else this.dispatch(items)
    }
    this.rest = text.slice(start)
    return items
  }

  private field(line: string): void {
    const colon = line.indexOf(':')
    if (colon === 0) return
    const name = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (name === 'event') this.event = value
    else if (name === 'data') this.data.push(value)
    else if (name === 'id') this.id = value
  }

  /** A block without data is no event, but its id counts. */
  private dispatch(items: SseItem[]): void {
    if (this.data.length > 0 || this.id !== null) {
      items.push({ event: this.event || 'message', data: this.data.join('\n'), id: this.id })
    }
    this.event = ''
    this.data = []
    this.id = null
  }
}
