/** What agents write is hostile until proven otherwise: it is only ever shown as text. */

// Letters that turn the direction of text can make a line read as something else (CVE-2021-42574).
const DIRECTION = /[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]/g
const CSI = /\u001b\[[0-9;:?]*[ -/]*[@-~]/g
const OSC = /\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)/g
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g

/** How one control character is shown: by its picture (U+2400 and following), or by its number. */
function picture(character: string): string {
  const code = character.charCodeAt(0)
  if (code < 32) return String.fromCharCode(0x2400 + code)
  if (code === 127) return '\u2421'
  return `\u27e8${code.toString(16).padStart(2, '0')}\u27e9`
}

/**
 * Terminal output as text: colours are left out, since they are only decoration; every other escape, control character and
 * change of direction is shown and does nothing. A line that was overwritten with carriage returns shows its last state.
 */
export function cleanOutput(text: string): string {
  return text
    .replace(/\r\n/g, '\n')
    .replace(/[^\n]*\r(?=[^\n])/g, '')
    .replace(/\r/g, '')
    .replace(/\u001b\[[0-9;:]*m/g, '')
    .replace(OSC, (escape) => showControls(escape))
    .replace(CSI, (escape) => showControls(escape))
    .replace(CONTROL, picture)
    .replace(DIRECTION, (character) => `\u27e8${character.charCodeAt(0).toString(16)}\u27e9`)
}

function showControls(escape: string): string {
  return escape.replace(CONTROL, picture)
}

export type Piece = { text: string; href: string | null }

const LINK = /\bhttps?:\/\/[^\s<>"'`\u27e8]+/g

/** Splits text at its links. Only http and https are links, without what punctuation a sentence put behind them. */
export function links(text: string): Piece[] {
  const pieces: Piece[] = []
  let from = 0
  for (const match of text.matchAll(LINK)) {
    let href = match[0].replace(/[.,;:!?*_]+$/, '')
    while (href.endsWith(')') && count(href, ')') > count(href, '(')) href = href.slice(0, -1)
    href = href.replace(/[\]}]+$/, '')
    if (!URL.canParse(href)) continue
    if (match.index > from) pieces.push({ text: text.slice(from, match.index), href: null })
    pieces.push({ text: href, href })
    from = match.index + href.length
  }
  if (from < text.length) pieces.push({ text: text.slice(from), href: null })
  return pieces
}

function count(text: string, character: string): number {
  return text.split(character).length - 1
}
