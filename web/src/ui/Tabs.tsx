import * as Radix from '@radix-ui/react-tabs'
import { type ReactNode, useEffect, useRef } from 'react'

export interface Tab { id: string; title: ReactNode; content: ReactNode }

export function Tabs({ label, tabs, value, onChange, className }: { label: string; tabs: Tab[]; value: string; onChange: (id: string) => void; className?: string }) {
  const list = useRef<HTMLDivElement>(null)
  // On a phone the chosen one may be outside of what fits.
  useEffect(() => {
    const chosen = list.current?.querySelector<HTMLElement>('[data-state="active"]')
    if (list.current && chosen) list.current.scrollLeft = chosen.offsetLeft - (list.current.clientWidth - chosen.offsetWidth) / 2
  }, [value])
  return (
    <Radix.Root value={value} onValueChange={onChange} className={className}>
      <Radix.List ref={list} aria-label={label} className="relative flex gap-1 overflow-x-auto border-b">
        {tabs.map((tab) => (
          <Radix.Trigger
            key={tab.id} value={tab.id}
            className="-mb-px min-h-10 border-b-2 border-transparent px-3 text-sm font-medium whitespace-nowrap text-muted hover:text-ink focus-visible:-outline-offset-2 data-[state=active]:border-accent data-[state=active]:text-ink"
          >
            {tab.title}
          </Radix.Trigger>
        ))}
      </Radix.List>
      {tabs.map((tab) => <Radix.Content key={tab.id} value={tab.id} className="pt-3 outline-none focus-visible:outline-2">{tab.content}</Radix.Content>)}
    </Radix.Root>
  )
}
