import { describe, expect, it } from 'vitest'
import { fileAt, foldedAtFirst, layoutOf } from './layout'
import { ADDED, CONTEXT, HUNK, lineOf, NOTE, parseDiff, REMOVED } from './parse'

const simple = `diff --git a/src/a.rs b/src/a.rs
index 1..2 100644
--- a/src/a.rs
+++ b/src/a.rs
@@ -1,3 +1,4 @@ fn main() {
 one
-two
+TWO
+2
 three
\\ No newline at end of file
`
const rows = (text: string) => {
  const diff = parseDiff(text)
  return Array.from({ length: diff.rows }, (_, row) => [diff.kind[row], diff.oldLine[row], diff.newLine[row], lineOf(diff, row, 99).text])
}

describe('the parser of diffs', () => {
  it('knows lines and their numbers', () => {
    expect(rows(simple)).toEqual([
      [HUNK, 0, 0, '@@ -1,3 +1,4 @@ fn main() {'], [CONTEXT, 1, 1, 'one'], [REMOVED, 2, 0, 'two'], [ADDED, 0, 2, 'TWO'], [ADDED, 0, 3, '2'],
      [CONTEXT, 3, 4, 'three'], [NOTE, 0, 0, '\\ No newline at end of file'],
    ])
    expect(parseDiff(simple).files).toEqual([{ path: 'src/a.rs', oldPath: null, status: 'modified', added: 2, removed: 1, firstRow: 0, rows: 7, generated: false }])
  })

  it('a changed line that looks like a header is a line', () => {
    const text = 'diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n--- a/y\n+++ b/y\n-diff --git a/q b/q\n+@@ -1 +1 @@\n'
    expect(rows(text).map(([kind]) => kind)).toEqual([HUNK, REMOVED, ADDED, REMOVED, ADDED])
    expect(parseDiff(text).files).toHaveLength(1)
  })

  it('knows new, deleted, moved and binary files, and odd names', () => {
    const text = [
      'diff --git a/new b/new', 'new file mode 100644', '--- /dev/null', '+++ b/new', '@@ -0,0 +1 @@', '+x',
      'diff --git a/gone b/gone', 'deleted file mode 100644', '--- a/gone', '+++ /dev/null', '@@ -1 +0,0 @@', '-x',
      'diff --git a/from here b/to there', 'similarity index 100%', 'rename from from here', 'rename to to there',
      'diff --git a/p.png b/p.png', 'Binary files a/p.png and b/p.png differ',
      'diff --git "a/\\303\\244.txt" "b/\\303\\244.txt"', '--- "a/\\303\\244.txt"', '+++ "b/\\303\\244.txt"', '@@ -1 +1 @@', '-a', '+b', '',
    ].join('\n')
    expect(parseDiff(text).files.map(({ path, oldPath, status, added, removed }) => [path, oldPath, status, added, removed])).toEqual([
      ['new', null, 'added', 1, 0], ['gone', null, 'deleted', 0, 1], ['to there', 'from here', 'renamed', 0, 0], ['p.png', null, 'binary', 0, 0], ['ä.txt', null, 'modified', 1, 1],
    ])
  })

  it('ends where a stored patch was cut', () => {
    expect(parseDiff(simple.slice(0, simple.indexOf('+TWO') + 2)).files[0]).toMatchObject({ rows: 4, added: 1 })
    expect(parseDiff('')).toMatchObject({ rows: 0, files: [] })
  })

  it('cuts endless lines', () => {
    const diff = parseDiff(`diff --git a/x b/x\n@@ -0,0 +1 @@\n+${'y'.repeat(5_000)}\n`)
    expect(lineOf(diff, 1, 1_000)).toEqual({ text: 'y'.repeat(1_000), more: 4_000 })
  })

  it('reads a hundred thousand lines', () => {
    const body = Array.from({ length: 100_000 }, (_, line) => `+line ${line}\n`).join('')
    const diff = parseDiff(`diff --git a/big b/big\nnew file mode 100644\n--- /dev/null\n+++ b/big\n@@ -0,0 +1,100000 @@\n${body}`)
    expect(diff.rows).toBe(100_001)
    expect(lineOf(diff, 100_000, 99).text).toBe('line 99999')
  })
})

describe('folding', () => {
  it('lock files are folded at first, and places know their file', () => {
    const diff = parseDiff(simple.replaceAll('src/a.rs', 'Cargo.lock') + simple)
    expect(diff.files.map((file) => foldedAtFirst(file, 2))).toEqual([true, false])
    expect(diff.files.map((file) => foldedAtFirst(file, 1))).toEqual([false, false])
    const layout = layoutOf(diff, (index) => index === 0)
    expect(layout).toEqual({ heads: [0, 2], total: 11 })
    expect([0, 1, 2, 10].map((place) => fileAt(layout, place))).toEqual([0, 0, 1, 1])
  })
})
