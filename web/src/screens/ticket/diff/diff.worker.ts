/** Parses a diff away from the page, so that typing and scrolling never wait for it. */
import { parseDiff } from './parse'

self.onmessage = (message: MessageEvent<ArrayBuffer>) => {
  const diff = parseDiff(new TextDecoder().decode(message.data))
  postMessage(diff, { transfer: [diff.units.buffer, diff.kind.buffer, diff.start.buffer, diff.end.buffer, diff.oldLine.buffer, diff.newLine.buffer] })
}
