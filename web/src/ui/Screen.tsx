import { cx } from '@/lib/cx'
import { type ReactNode, useEffect } from 'react'

/** The frame of a screen: its heading, which is also the window's title, what can be done at the right, and the content. */
export function Screen({ title, actions, children, wide = false }: { title: string; actions?: ReactNode; children: ReactNode; wide?: boolean }) {
  useTitle(title)
  return (
    <div className={cx('flex w-full grow flex-col gap-4 p-4 lg:p-6', !wide && 'mx-auto max-w-6xl')}>
      <div className="flex min-h-9 flex-wrap items-center justify-between gap-3">
        <h1 className="text-xl">{title}</h1>
        {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
      </div>
      {children}
    </div>
  )
}

export function useTitle(title: string): void {
  useEffect(() => { document.title = `${title} · Terarchitect` }, [title])
}
