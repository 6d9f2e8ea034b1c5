/** Which rows of a diff are shown, as files are folded. Pure. */
import type { DiffFile, ParsedDiff } from './parse'

/** Longer files are folded at first, so that one does not hide the others. */
const LONG = 3_000
/** Heads of files are as high as this many rows. */
export const HEAD_ROWS = 2

export interface Layout {
  /** The first place of each file's head. Places are counted in rows. */
  heads: number[]
  /** How many places there are. */
  total: number
}

/** A file that stands alone hides nothing, however long it is. */
export function foldedAtFirst(file: DiffFile, files: number): boolean {
  return files > 1 && (file.generated || file.rows > LONG)
}

export function layoutOf(diff: ParsedDiff, isFolded: (index: number) => boolean): Layout {
  const heads: number[] = []
  let at = 0
  for (const [index, file] of diff.files.entries()) {
    heads.push(at)
    at += HEAD_ROWS + (isFolded(index) ? 0 : file.rows)
  }
  return { heads, total: at }
}

/** The file that a place belongs to. */
export function fileAt(layout: Layout, place: number): number {
  let low = 0
  let high = layout.heads.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((layout.heads[middle] ?? 0) <= place) low = middle
    else high = middle - 1
  }
  return low
}
