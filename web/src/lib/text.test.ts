import { describe, expect, it } from 'vitest'
import { cleanOutput, links, saysMore } from './text'

describe('output of programs', () => {
  it.each([
    ['colours are decoration', '\u001b[1;31mred\u001b[0m', 'red'],
    ['other escapes are shown and do nothing', '\u001b[2Jx\u001b[H', '⟨esc⟩[2Jx⟨esc⟩[H'],
    ['a title of a terminal is text', '\u001b]0;owned\u0007y', '⟨esc⟩]0;owned⟨bel⟩y'],
    ['a link of a terminal is text', '\u001b]8;;http://evil\u001b\\click', '⟨esc⟩]8;;http://evil⟨esc⟩\\click'],
    ['a line that was written over shows its last state', '10%\r50%\r100%\n', '100%\n'],
    ['line ends of Windows are line ends', 'a\r\nb\r\n', 'a\nb\n'],
    ['a change of direction is shown', 'a\u202eb', 'a⟨202e⟩b'],
    ['controls are shown', 'a\u0000b\u0085', 'a⟨nul⟩b⟨85⟩'],
    ['tabs and line ends stay', 'a\tb\n', 'a\tb\n'],
    ['markup is text', '<img src=x onerror=alert(1)>', '<img src=x onerror=alert(1)>'],
  ])('%s', (_, text, shown) => expect(cleanOutput(text)).toBe(shown))
})

describe('links', () => {
  const hrefs = (text: string) => links(text).flatMap(({ href }) => href ?? [])
  it.each([
    ['see https://a.example/x.', ['https://a.example/x']],
    ['(https://a.example/x_(y))', ['https://a.example/x_(y)']],
    ['<https://a.example>, "http://b.example/?q=1"', ['https://a.example', 'http://b.example/?q=1']],
    ['javascript:alert(1) data:text/html,x ftp://a', []],
    ['**https://a.example/b**', ['https://a.example/b']],
  ])('%s', (text, expected) => expect(hrefs(text)).toEqual(expected))

  it('loses nothing of the text', () => {
    const text = 'a https://x.example/1, b (http://y.example) c.'
    expect(links(text).map((piece) => piece.text).join('')).toBe(text)
  })
})

describe('a report beside its sentence', () => {
  it.each([
    ['Failed: the agent did not succeed: There is no manual.', 'There is no manual', false],
    ['Failed: the agent did not succeed: There is no manual.', ' There is no manual.\n', false],
    ['Failed: the agent did not succeed: There is no manual.', 'There is no manual\nTried: README.md', true],
    ['Failed: the agent did not succeed.', 'There is no manual', true],
  ])('%s', (sentence, report, expected) => expect(saysMore(sentence, report)).toBe(expected))
})
