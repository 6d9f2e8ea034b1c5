/** The frame of screens for people who are not signed in. */
import { useTitle } from '@/ui'
import type { ReactNode } from 'react'

export function Front({ title, about, children }: { title: string; about?: ReactNode; children: ReactNode }) {
  useTitle(title)
  return (
    <div className="mx-auto flex w-full max-w-sm grow flex-col justify-center gap-5 px-4 py-10">
      <div className="flex items-center gap-2.5"><img src="/favicon.svg" alt="" width="32" height="32" className="size-8" /><span className="text-base font-bold tracking-tight">Terarchitect</span></div>
      <div className="rounded-xl border bg-surface p-5 shadow-card">
        <h1 className="text-xl">{title}</h1>
        {about && <div className="mt-1 text-sm text-muted">{about}</div>}
        <div className="mt-4">{children}</div>
      </div>
    </div>
  )
}
