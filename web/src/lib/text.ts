/** What agents write is hostile until proven otherwise: it is only ever shown as text. */

// Letters that turn the direction of text can make a line read as something else (CVE-2021-42574).
const DIRECTION = /[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]/g
const CSI = /\u001b\[[0-9;:?]*[ -/]*[@-~]/g
const OSC = /\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)/g
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g

/** How a character that does something is shown instead: `⟨esc⟩`, or by its number. Few fonts have Unicode's pictures of them. */
function picture(character: string): string {
  const code = character.charCodeAt(0)
  const name = code === 27 ? 'esc' : code === 7 ? 'bel' : code === 0 ? 'nul' : code.toString(16).padStart(2, '0')
  return `\u27e8${name}\u27e9`
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
    .replace(DIRECTION, picture)
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

/** Whether a report says more than the sentence that quotes it. */
export function saysMore(sentence: string, report: string): boolean {
  return !sentence.includes(report.trim().replace(/[.!?]$/, ''))
}
