import { cx } from '@/lib/cx'
import { useMedia } from '@/lib/media'
import type { ReactNode } from 'react'

export interface Column<Row> {
  title: string
  cell: (row: Row) => ReactNode
  /** Numbers stand at the right. */
  right?: boolean
  className?: string
}

interface Props<Row> {
  /** What the table shows; read aloud, not shown. */
  caption: string
  columns: Column<Row>[]
  rows: readonly Row[]
  id: (row: Row) => string
}

/** A table that scrolls sideways within itself where it is too wide, and is reachable with the keyboard for that. On phones it is a list. */
export function Table<Row>(props: Props<Row>) {
  const narrow = useMedia('(max-width: 639px)')
  return narrow ? <Stacked {...props} /> : <Wide {...props} />
}

/** Each row as a box: what stands in the first column as its heading, the rest with the titles of their columns. */
function Stacked<Row>({ caption, columns, rows, id }: Props<Row>) {
  const [first, ...rest] = columns
  return (
    <ul aria-label={caption} className="flex flex-col divide-y text-sm">
      {rows.map((row) => (
        <li key={id(row)} className="flex flex-col gap-2 py-3 first:pt-0 last:pb-0">
          {first && <div>{first.cell(row)}</div>}
          <dl className="grid grid-cols-[minmax(5rem,auto)_1fr] items-baseline gap-x-4 gap-y-1.5">
            {rest.map((column) => (
              <div key={column.title} className="contents">
                <dt className="text-xs text-muted">{column.title}</dt>
                <dd className="min-w-0">{column.cell(row)}</dd>
              </div>
            ))}
          </dl>
        </li>
      ))}
    </ul>
  )
}

function Wide<Row>({ caption, columns, rows, id }: Props<Row>) {
  return (
    <div className="relative overflow-x-auto" tabIndex={0} role="region" aria-label={caption}>
      <table className="w-full border-collapse text-sm">
        <caption className="sr-only">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.title} scope="col" className={cx('border-b px-3 py-2 text-xs font-semibold whitespace-nowrap text-muted', column.right ? 'text-right' : 'text-left')}>
                {column.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={id(row)} className="border-b last:border-0 hover:bg-hover">
              {columns.map((column) => (
                <td key={column.title} className={cx('px-3 py-2 align-top wrap-break-word', column.right && 'text-right tabular', column.className)}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
