/** What stands where data would: nothing there, not there yet, could not be loaded. */
import { ApiError, sentenceOf } from '@/api/errors'
import { cx } from '@/lib/cx'
import type { ReactNode } from 'react'
import { Button } from './Button'
import { Icon, type IconName } from './Icon'

export function EmptyState({ icon = 'info', title, children, action }: { icon?: IconName; title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className="mx-auto flex max-w-md flex-col items-center gap-2 px-4 py-12 text-center">
      <Icon name={icon} className="size-7 text-muted" />
      <h2 className="text-base">{title}</h2>
      {children && <div className="text-sm text-muted">{children}</div>}
      {action && <div className="mt-2 flex flex-wrap justify-center gap-2">{action}</div>}
    </div>
  )
}

/** Our sentence, the request's id for whoever looks into the log, and a way to try again. */
export function ErrorNote({ error, what, onRetry, className }: { error: unknown; what?: string; onRetry?: () => void; className?: string }) {
  const requestId = error instanceof ApiError ? error.requestId : null
  return (
    <div role="alert" className={cx('flex flex-wrap items-start gap-3 rounded-lg border border-bad/40 bg-bad-soft px-4 py-3 text-sm', className)}>
      <Icon name="warning" className="mt-0.5 text-bad" />
      <div className="min-w-0 grow basis-52">
        <p className="font-medium text-ink">{what ? `${what} ` : ''}{sentenceOf(error)}</p>
        {requestId && <p className="mt-1 font-mono text-2xs text-ink">Request {requestId}</p>}
      </div>
      {onRetry && <Button size="small" icon="retry" onClick={onRetry}>Try again</Button>}
    </div>
  )
}

/** Places for what is being loaded. After ten seconds the screen should show an error instead: requests end by then. */
export function Skeleton({ lines = 3, label = 'Loading', className }: { lines?: number; label?: string; className?: string }) {
  return (
    <div role="status" aria-busy="true" className={cx('flex flex-col gap-2', className)}>
      <span className="sr-only">{label}</span>
      {Array.from({ length: lines }, (_, index) => <div key={index} aria-hidden="true" className={cx('skeleton h-4', index % 3 === 2 ? 'w-2/3' : 'w-full')} />)}
    </div>
  )
}

export function Kv({ items }: { items: [string, ReactNode][] }) {
  return (
    <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 text-sm">
      {items.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-muted">{name}</dt>
          <dd className="min-w-0">{value}</dd>
        </div>
      ))}
    </dl>
  )
}
