/** A diff of any length: only the lines on the screen exist. All rows are equally high, so where they are is arithmetic. */
import { cleanOutput } from '@/lib/text'
import { cx } from '@/lib/cx'
import { Badge, Button, Icon, Select } from '@/ui'
import { useLayoutEffect, useMemo, useRef, useState } from 'react'
import { fileAt, foldedAtFirst, HEAD_ROWS, layoutOf } from './layout'
import { ADDED, type DiffFile, HUNK, lineOf, NOTE, type ParsedDiff, REMOVED } from './parse'

const ROW_PX = 20
const OVERSCAN = 30
/** A longer line is cut: it is nothing that a person reads. */
const LONGEST = 1_000

export function DiffView({ diff }: { diff: ParsedDiff }) {
  const [folds, setFolds] = useState<ReadonlyMap<number, boolean>>(new Map())
  const isFolded = (index: number) => folds.get(index) ?? foldedAtFirst(diff.files[index] as DiffFile, diff.files.length)
  const layout = useMemo(() => layoutOf(diff, isFolded), [diff, folds])
  const scroller = useRef<HTMLDivElement>(null)
  const view = useView(scroller)
  const first = Math.max(0, Math.floor(view.top / ROW_PX) - OVERSCAN)
  const last = Math.min(layout.total, Math.ceil((view.top + view.height) / ROW_PX) + OVERSCAN)
  const here = fileAt(layout, Math.max(0, Math.floor(view.top / ROW_PX)))
  const jump = (index: number) => scroller.current?.scrollTo({ top: (layout.heads[index] ?? 0) * ROW_PX })
  const toggle = (index: number) => setFolds(new Map(folds).set(index, !isFolded(index)))
  const all = (folded: boolean) => setFolds(new Map(diff.files.map((_, index) => [index, folded])))

  const pieces = []
  for (let index = fileAt(layout, first); index < diff.files.length; index++) {
    const head = layout.heads[index] ?? 0
    if (head >= last) break
    const file = diff.files[index] as DiffFile
    const folded = isFolded(index)
    pieces.push(<FileHead key={`f${index}`} file={file} folded={folded} top={head * ROW_PX} onToggle={() => toggle(index)} />)
    if (folded) continue
    const from = Math.max(first, head + HEAD_ROWS)
    const to = Math.min(last, head + HEAD_ROWS + file.rows)
    for (let place = from; place < to; place++) {
      const row = file.firstRow + place - head - HEAD_ROWS
      pieces.push(<Line key={`r${row}`} diff={diff} row={row} top={place * ROW_PX} />)
    }
  }
  return (
    <div className="flex min-h-0 grow flex-col rounded-lg border bg-surface">
      <div className="flex flex-wrap items-center gap-2 border-b p-2">
        <Select aria-label="Jump to a file" value={here} className="w-40 grow font-mono text-xs" onChange={(event) => jump(Number(event.target.value))}>
          {diff.files.map((file, index) => <option key={index} value={index}>{file.path} +{file.added} −{file.removed}</option>)}
        </Select>
        <Button size="small" kind="ghost" onClick={() => all(true)}>Fold all</Button>
        <Button size="small" kind="ghost" onClick={() => all(false)}>Unfold all</Button>
      </div>
      <div ref={scroller} tabIndex={0} role="region" aria-label="Changes" className="min-h-0 grow overflow-auto font-mono text-xs focus-visible:-outline-offset-2">
        <div className="relative min-w-max" style={{ height: layout.total * ROW_PX, width: '100%' }}>{pieces}</div>
      </div>
    </div>
  )
}

/** What is visible of the list, renewed once a frame. */
function useView(ref: React.RefObject<HTMLDivElement | null>): { top: number; height: number } {
  const [view, setView] = useState({ top: 0, height: 800 })
  useLayoutEffect(() => {
    const element = ref.current
    if (!element) return
    let frame = 0
    const read = () => {
      frame = 0
      setView({ top: element.scrollTop, height: element.clientHeight })
    }
    const later = () => { frame ||= requestAnimationFrame(read) }
    read()
    const resized = new ResizeObserver(later)
    resized.observe(element)
    element.addEventListener('scroll', later, { passive: true })
    return () => {
      cancelAnimationFrame(frame)
      resized.disconnect()
      element.removeEventListener('scroll', later)
    }
  }, [ref])
  return view
}

const statuses = { modified: null, added: 'New', deleted: 'Deleted', renamed: 'Renamed', binary: 'Binary' } as const

function FileHead({ file, folded, top, onToggle }: { file: DiffFile; folded: boolean; top: number; onToggle: () => void }) {
  const status = statuses[file.status]
  return (
    <button
      type="button" aria-expanded={!folded} disabled={file.rows === 0} onClick={onToggle} style={{ transform: `translateY(${top}px)`, height: HEAD_ROWS * ROW_PX }}
      className="absolute top-0 left-0 flex w-full items-center border-y bg-paper text-left disabled:cursor-default"
    >
      <span className="sticky left-0 flex max-w-[min(100%,90vw)] items-center gap-2 px-2">
        <Icon name={folded ? 'chevron' : 'down'} className={cx('text-muted', file.rows === 0 && 'invisible')} />
        <span className="min-w-0 truncate font-semibold">{file.oldPath ? `${file.oldPath} → ${file.path}` : file.path}</span>
        {status && <Badge>{status}</Badge>}
        {file.generated && <Badge>Generated</Badge>}
        <span className="text-good">+{file.added}</span><span className="text-bad">−{file.removed}</span>
      </span>
    </button>
  )
}

function Line({ diff, row, top }: { diff: ParsedDiff; row: number; top: number }) {
  const kind = diff.kind[row]
  const { text, more } = lineOf(diff, row, LONGEST)
  const number = (line: number | undefined) => <span className="w-12 shrink-0 pr-2 text-right text-muted select-none">{line || ''}</span>
  return (
    <div
      style={{ transform: `translateY(${top}px)`, height: ROW_PX }}
      className={cx('absolute top-0 left-0 flex min-w-full leading-5 whitespace-pre', kind === ADDED && 'bg-added', kind === REMOVED && 'bg-removed', kind === HUNK && 'bg-accent-soft text-accent', kind === NOTE && 'text-muted italic')}
    >
      {number(diff.oldLine[row])}
      {number(diff.newLine[row])}
      <span className="w-4 shrink-0">{kind === ADDED ? '+' : kind === REMOVED ? '−' : ''}</span>
      <span className="pr-4">{cleanOutput(text)}{more > 0 && <span className="text-muted"> … {more} more characters</span>}</span>
    </div>
  )
}
