import { cx } from '@/lib/cx'
import type { ReactNode } from 'react'

/** A box with an optional heading and things to do at its right. */
export function Card({ title, actions, children, className, level = 2 }: { title?: ReactNode; actions?: ReactNode; children: ReactNode; className?: string; level?: 2 | 3 }) {
  const Heading = level === 2 ? 'h2' : 'h3'
  return (
    <section className={cx('rounded-lg border bg-surface shadow-card', className)}>
      {(title || actions) && (
        <div className="flex min-h-11 flex-wrap items-center justify-between gap-2 border-b px-4 py-1.5">
          {title && <Heading className="text-sm">{title}</Heading>}
          {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
        </div>
      )}
      <div className="p-4">{children}</div>
    </section>
  )
}
