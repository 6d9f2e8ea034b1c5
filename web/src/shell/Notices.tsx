/** Tells about what comes into the Inbox while nobody looks at this page. Loaded where notices are on. */
import { api } from '@/api/client'
import type { Inbox, InboxItem } from '@/api/contract'
import { keys } from '@/api/keys'
import { useEvents } from '@/live/context'
import { targetsOf } from '@/live/targets'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useEffect, useRef } from 'react'
import { notice } from './notices'

/** What happens together is asked about together. */
const GATHER_MS = 1_000

function titleOf(item: InboxItem): string {
  if (item.checkpoint) return item.checkpoint.stage === 'question' ? `A question: ${item.title}` : `Waits for you: ${item.title}`
  return item.kind === 'failed' ? `Failed: ${item.title}` : `Ready for you: ${item.title}`
}

export default function Notices() {
  const inbox = useQuery({ queryKey: keys.inbox, queryFn: ({ signal }) => api.get<Inbox>('/api/inbox', { signal }) })
  useWhileHidden()
  const navigate = useNavigate()
  const known = useRef<Set<string> | null>(null)
  const items = inbox.data?.items
  useEffect(() => {
    if (!items) return
    const ids = items.map((item) => item.checkpoint?.id ?? item.ticket_id)
    const before = known.current
    known.current = new Set(ids)
    // What is there already is no news; and who looks at the page sees it.
    if (before === null || (!document.hidden && document.hasFocus())) return
    items.forEach((item, index) => {
      const id = ids[index]
      if (id !== undefined && !before.has(id)) notice(titleOf(item), item.sentence, id, () => void navigate({ to: '/inbox' }))
    })
  }, [items, navigate])
  return null
}

/** A hidden tab loads nothing by itself, but is the one that has something to tell. */
function useWhileHidden(): void {
  const queries = useQueryClient()
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  useEvents((events) => {
    if (!document.hidden || !events.some((event) => targetsOf(event).lists.some((key) => key === keys.inbox))) return
    timer.current ??= setTimeout(() => {
      timer.current = undefined
      void queries.invalidateQueries({ queryKey: keys.inbox })
    }, GATHER_MS)
  })
  useEffect(() => () => { clearTimeout(timer.current); timer.current = undefined }, [])
}
