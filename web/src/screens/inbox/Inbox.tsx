import { api } from '@/api/client'
import type { Inbox as InboxOf, InboxItem } from '@/api/contract'
import { keys } from '@/api/keys'
import { useWide } from '@/lib/media'
import { useHotkeys } from '@/shell/hotkeys'
import { mayChange, useSession } from '@/shell/session'
import { Button, EmptyState, ErrorNote, Kbd, Screen, Skeleton } from '@/ui'
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import { chosenAfter, idOf, looks, neighbour, snoozes, type Verdict, verdictsFor } from './decisions'
import { Detail } from './Detail'
import { NoticeButton } from './NoticeButton'
import { Row } from './Row'
import { useDecide, useDeciding } from './useDecide'
import { WordsDialog, type Words } from './Words'

/** A phone shows whole cards: more of them at once than anybody decides would only be slow. */
const AT_ONCE = 30

export default function Inbox() {
  const inbox = useQuery({ queryKey: keys.inbox, queryFn: ({ signal }) => api.get<InboxOf>('/api/inbox', { signal }) })
  const snoozed = inbox.data?.snoozed ?? 0
  return (
    <Screen title="Inbox" actions={<>{snoozed > 0 && <span className="text-sm text-muted">{snoozed === 1 ? '1 is' : `${snoozed} are`} put off until later</span>}<NoticeButton /></>}>
      {inbox.error && <ErrorNote error={inbox.error} what={inbox.data ? 'What you see may be old.' : undefined} onRetry={() => void inbox.refetch()} />}
      {inbox.isPending && <Skeleton label="Loading the inbox" lines={6} />}
      {inbox.data?.items.length === 0 && (
        <EmptyState icon="inbox" title="Nothing needs you">
          Plans, questions and other checkpoints at which agents wait for you, tickets that failed for good, and pull requests that are ready come here by themselves.
        </EmptyState>
      )}
      {inbox.data && inbox.data.items.length > 0 && <Items items={inbox.data.items} />}
    </Screen>
  )
}

function Items({ items }: { items: InboxItem[] }) {
  const wide = useWide()
  const navigate = useNavigate()
  const session = useSession()
  const decide = useDecide()
  const deciding = useDeciding()
  const [wanted, setWanted] = useState<string | null>(null)
  const [asked, setAsked] = useState<{ item: InboxItem; words: Words } | null>(null)
  const [shown, setShown] = useState(AT_ONCE)
  const ids = items.map(idOf)
  const place = useRef(0)
  const chosen = chosenAfter(ids, wanted, place.current)
  const item = items.find((one) => idOf(one) === chosen)
  useEffect(() => { place.current = Math.max(0, ids.indexOf(chosen ?? '')) })

  const choose = (id: string | null) => {
    if (id === null) return
    setWanted(id)
    document.getElementById(`inbox-${id}`)?.scrollIntoView({ block: 'nearest' })
  }
  const step = (by: 1 | -1) => choose(neighbour(ids, chosen, by, new Set()))
  const act = (one: InboxItem, verdict: Verdict, more: { note?: string; forSec?: number; when?: string } = {}) => {
    if (deciding.has(idOf(one)) || !verdictsFor(one).includes(verdict) || !mayChange(session, one.project_id)) return
    const { when = 'in an hour', ...rest } = more
    const forSec = verdict === 'snooze' ? { forSec: rest.forSec ?? snoozes(new Date())[0]?.forSec ?? 0 } : {}
    decide({ item: one, verdict, ...rest, ...forSec }, when)
    if (idOf(one) === chosen) choose(neighbour(ids, chosen, 1, new Set(deciding.keys())) ?? neighbour(ids, chosen, -1, new Set(deciding.keys())))
  }
  const open = (one: InboxItem) => void navigate({ to: '/projects/$projectId/tickets/$ticketId', params: { projectId: one.project_id, ticketId: one.ticket_id } })
  const ask = (one: InboxItem, words: Words) => { if (!deciding.has(idOf(one)) && verdictsFor(one).includes(words) && mayChange(session, one.project_id)) setAsked({ item: one, words }) }
  const withItem = (run: (one: InboxItem) => void) => () => { if (item) run(item) }

  useHotkeys('Inbox', [
    { key: 'j', about: 'The next one', run: () => step(1) },
    { key: 'k', about: 'The one before', run: () => step(-1) },
    { key: looks.approve.key, about: looks.approve.about, run: withItem((one) => { if (one.checkpoint?.stage === 'question') ask(one, 'approve'); else act(one, 'approve') }) },
    { key: 'A', about: 'Approve with words to the agent', run: withItem((one) => ask(one, 'approve')) },
    { key: looks.reject.key, about: looks.reject.about, run: withItem((one) => ask(one, 'reject')) },
    ...(['retry', 'done', 'backlog', 'snooze'] as const).map((verdict) => ({
      key: looks[verdict].key, about: looks[verdict].about + (verdict === 'snooze' ? ' (in an hour)' : ''), run: withItem((one) => act(one, verdict)),
    })),
    { key: 'R', about: 'Retry with a note to the agent', run: withItem((one) => ask(one, 'retry')) },
    { key: 'o', about: 'Open the ticket', run: withItem(open) },
    { key: 'v', about: 'Review the pull request here', run: withItem((one) => { if (one.pr_number !== null) void navigate({ to: '/projects/$projectId/tickets/$ticketId', params: { projectId: one.project_id, ticketId: one.ticket_id }, search: { show: 'review' } }) }) },
    { key: 'p', about: 'Open the pull request at its forge', run: withItem((one) => { if (one.pr_url) window.open(one.pr_url, '_blank', 'noopener,noreferrer') }) },
  ])

  const parts = { deciding, onDecide: act, onWords: ask, onOpen: open, mayChange: (one: InboxItem) => mayChange(session, one.project_id) }
  return (
    <>
      {wide ? (
        <div className="grid grid-cols-[minmax(20rem,26rem)_1fr] items-start gap-4">
          <ul aria-label="Waiting for you" className="flex flex-col gap-1">
            {items.map((one) => <Row key={idOf(one)} item={one} chosen={idOf(one) === chosen} decision={deciding.get(idOf(one))} onChoose={() => choose(idOf(one))} />)}
          </ul>
          {item && <div className="sticky top-16 max-h-[calc(100dvh-5rem)] overflow-y-auto"><Detail key={idOf(item)} item={item} {...parts} keysShown /></div>}
        </div>
      ) : (
        <ul aria-label="Waiting for you" className="flex flex-col gap-3">
          {items.slice(0, shown).map((one) => <li key={idOf(one)} id={`inbox-${idOf(one)}`}><Detail item={one} {...parts} /></li>)}
          {items.length > shown && <li><Button className="w-full" onClick={() => setShown(shown + AT_ONCE)}>Show more of {items.length}</Button></li>}
        </ul>
      )}
      {wide && <p className="flex flex-wrap items-center gap-1.5 text-xs text-muted"><Kbd>j</Kbd><Kbd>k</Kbd> next, before <Kbd>?</Kbd> all keys</p>}
      {asked && <WordsDialog item={asked.item} words={asked.words} onClose={() => setAsked(null)} onSend={(verdict, text) => { act(asked.item, verdict, text ? { note: text } : {}); setAsked(null) }} />}
    </>
  )
}
