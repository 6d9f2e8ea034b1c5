/**
 * Reads `git diff` output. Lines are not copied: a row is where its text begins and ends, in arrays that pass from the worker to
 * the page without a copy, so that a hundred thousand lines cost neither time nor memory there. Pure.
 */

export const HUNK = 0
export const CONTEXT = 1
export const ADDED = 2
export const REMOVED = 3
export const NOTE = 4

export type FileStatus = 'modified' | 'added' | 'deleted' | 'renamed' | 'binary'

export interface DiffFile {
  path: string
  /** Where it was before, if it moved. */
  oldPath: string | null
  status: FileStatus
  added: number
  removed: number
  firstRow: number
  rows: number
  /** Written by a tool: nobody reads it line by line. */
  generated: boolean
}

export interface ParsedDiff {
  /** The text in UTF-16, as strings have it: an array passes to the page without a copy, a string would not. */
  units: Uint16Array<ArrayBuffer>
  files: DiffFile[]
  rows: number
  kind: Uint8Array<ArrayBuffer>
  start: Uint32Array<ArrayBuffer>
  end: Uint32Array<ArrayBuffer>
  /** Line numbers; 0 where a side has no such line. */
  oldLine: Uint32Array<ArrayBuffer>
  newLine: Uint32Array<ArrayBuffer>
}

const GENERATED = /(^|\/)(package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?|Cargo\.lock|poetry\.lock|uv\.lock|Pipfile\.lock|Gemfile\.lock|composer\.lock|go\.sum|flake\.lock|Podfile\.lock|mix\.lock|packages\.lock\.json)$|\.min\.(js|css)$|\.snap$/

export function isGenerated(path: string): boolean {
  return GENERATED.test(path)
}

const HUNK_HEAD = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/

export function parseDiff(text: string): ParsedDiff {
  const parser = new Parser(text)
  return parser.run()
}

class Parser {
  private readonly files: DiffFile[] = []
  private kind: Uint8Array<ArrayBuffer>
  private start: Uint32Array<ArrayBuffer>
  private end: Uint32Array<ArrayBuffer>
  private oldLine: Uint32Array<ArrayBuffer>
  private newLine: Uint32Array<ArrayBuffer>
  private rows = 0
  private file: DiffFile | null = null
  private oldLeft = 0
  private newLeft = 0
  private oldAt = 0
  private newAt = 0

  constructor(private readonly text: string) {
    const guess = Math.max(64, Math.ceil(text.length / 24))
    this.kind = new Uint8Array(guess)
    this.start = new Uint32Array(guess)
    this.end = new Uint32Array(guess)
    this.oldLine = new Uint32Array(guess)
    this.newLine = new Uint32Array(guess)
  }

  run(): ParsedDiff {
    const { text } = this
    for (let from = 0; from < text.length;) {
      const newline = text.indexOf('\n', from)
      const to = newline < 0 ? text.length : newline
      this.line(from, to)
      from = to + 1
    }
    this.endFile()
    const { files, rows } = this
    return {
      units: unitsOf(text), files, rows, kind: this.kind.slice(0, rows), start: this.start.slice(0, rows), end: this.end.slice(0, rows),
      oldLine: this.oldLine.slice(0, rows), newLine: this.newLine.slice(0, rows),
    }
  }

  private line(from: number, to: number): void {
    // Within a hunk its counts decide what a line is: the content of a line may look like a header.
    if (this.oldLeft > 0 || this.newLeft > 0) {
      if (this.hunkLine(from, to)) return
      this.oldLeft = 0
      this.newLeft = 0
    }
    const { text } = this
    if (text.startsWith('diff --git ', from)) this.beginFile(text.slice(from, to))
    else if (text.startsWith('@@ ', from)) this.hunk(from, to)
    else if (text.startsWith('\\', from) && this.file) this.row(NOTE, from, to, 0, 0)
    else if (this.file) this.header(text.slice(from, to))
  }

  private beginFile(line: string): void {
    this.endFile()
    const path = gitPath(line)
    this.file = { path, oldPath: null, status: 'modified', added: 0, removed: 0, firstRow: this.rows, rows: 0, generated: isGenerated(path) }
  }

  private header(line: string): void {
    const { file } = this
    if (!file) return
    if (line.startsWith('new file mode')) file.status = 'added'
    else if (line.startsWith('deleted file mode')) file.status = 'deleted'
    else if (line.startsWith('rename from ')) {
      file.status = 'renamed'
      file.oldPath = unquote(line.slice(12))
    } else if (line.startsWith('rename to ')) this.name(unquote(line.slice(10)))
    else if (line.startsWith('Binary files ') || line === 'GIT binary patch') file.status = 'binary'
    else if (line.startsWith('+++ ')) this.fromMarker(line)
    else if (line.startsWith('--- ') && file.status === 'deleted') this.fromMarker(line)
  }

  private fromMarker(line: string): void {
    const path = unquote(line.slice(4).replace(/\t$/, ''))
    if (path !== '/dev/null') this.name(path.replace(/^[ab]\//, ''))
  }

  private name(path: string): void {
    if (!this.file) return
    this.file.path = path
    this.file.generated = isGenerated(path)
  }

  private hunk(from: number, to: number): void {
    const match = HUNK_HEAD.exec(this.text.slice(from, to))
    if (!match || !this.file) return
    this.oldAt = Number(match[1])
    this.oldLeft = Number(match[2] ?? 1)
    this.newAt = Number(match[3])
    this.newLeft = Number(match[4] ?? 1)
    this.row(HUNK, from, to, 0, 0)
  }

  private hunkLine(from: number, to: number): boolean {
    const { file } = this
    if (!file) return false
    switch (this.text.charCodeAt(from)) {
      case 43:
        this.row(ADDED, from + 1, to, 0, this.newAt++)
        this.newLeft -= 1
        file.added += 1
        return true
      case 45:
        this.row(REMOVED, from + 1, to, this.oldAt++, 0)
        this.oldLeft -= 1
        file.removed += 1
        return true
      case 92:
        this.row(NOTE, from, to, 0, 0)
        return true
      case 32:
        this.context(from + 1, to)
        return true
      default:
        // Some tools drop the space of an empty line.
        if (from !== to) return false
        this.context(from, to)
        return true
    }
  }

  private context(from: number, to: number): void {
    this.row(CONTEXT, from, to, this.oldAt++, this.newAt++)
    this.oldLeft -= 1
    this.newLeft -= 1
  }

  private row(kind: number, from: number, to: number, oldLine: number, newLine: number): void {
    if (this.rows === this.kind.length) this.grow()
    const at = this.rows++
    this.kind[at] = kind
    this.start[at] = from
    this.end[at] = this.text.charCodeAt(to - 1) === 13 && to > from ? to - 1 : to
    this.oldLine[at] = oldLine
    this.newLine[at] = newLine
  }

  private grow(): void {
    const size = this.kind.length * 2
    const wider = (array: Uint32Array<ArrayBuffer>) => {
      const next = new Uint32Array(size)
      next.set(array)
      return next
    }
    const kind = new Uint8Array(size)
    kind.set(this.kind)
    this.kind = kind
    this.start = wider(this.start)
    this.end = wider(this.end)
    this.oldLine = wider(this.oldLine)
    this.newLine = wider(this.newLine)
  }

  private endFile(): void {
    if (!this.file) return
    this.file.rows = this.rows - this.file.firstRow
    this.files.push(this.file)
    this.file = null
    this.oldLeft = 0
    this.newLeft = 0
  }
}

function unitsOf(text: string): Uint16Array<ArrayBuffer> {
  const units = new Uint16Array(text.length)
  for (let at = 0; at < text.length; at++) units[at] = text.charCodeAt(at)
  return units
}

/** The text of a row, at most so many characters of it. */
export function lineOf(diff: ParsedDiff, row: number, most: number): { text: string; more: number } {
  const from = diff.start[row] ?? 0
  const to = diff.end[row] ?? 0
  return { text: String.fromCharCode(...diff.units.subarray(from, Math.min(to, from + most))), more: Math.max(0, to - from - most) }
}

/** The path in `diff --git a/x b/x`; both halves are the same unless the file moved, which other lines say then. */
function gitPath(line: string): string {
  const rest = line.slice('diff --git '.length)
  if (rest.startsWith('"')) return unquote(rest.slice(0, rest.indexOf('" ') + 1)).replace(/^a\//, '')
  const half = (rest.length - 1) / 2
  if (Number.isInteger(half) && rest.slice(2, half) === rest.slice(half + 3)) return rest.slice(half + 3)
  return rest.slice(rest.lastIndexOf(' b/') + 3)
}

/** Git quotes paths with unusual bytes: `"a/\303\244.txt"`. */
function unquote(path: string): string {
  if (!path.startsWith('"') || !path.endsWith('"')) return path
  const bytes: number[] = []
  const inside = path.slice(1, -1)
  for (let at = 0; at < inside.length; at++) {
    const character = inside[at] ?? ''
    if (character !== '\\') {
      bytes.push(...new TextEncoder().encode(character))
      continue
    }
    const octal = /^[0-7]{3}/.exec(inside.slice(at + 1))
    if (octal) {
      bytes.push(Number.parseInt(octal[0], 8))
      at += 3
    } else {
      at += 1
      const escaped = inside[at] ?? ''
      bytes.push(({ n: 10, t: 9, r: 13 } as Record<string, number>)[escaped] ?? escaped.charCodeAt(0))
    }
  }
  return new TextDecoder().decode(new Uint8Array(bytes))
}
