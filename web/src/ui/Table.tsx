import { cx } from '@/lib/cx'
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

/** A table that scrolls sideways within itself where it is too wide, and is reachable with the keyboard for that. */
export function Table<Row>({ caption, columns, rows, id }: Props<Row>) {
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
