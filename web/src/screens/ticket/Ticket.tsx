import { api } from '@/api/client'
import type { Board, TicketPage } from '@/api/contract'
import { ApiError } from '@/api/errors'
import { keys } from '@/api/keys'
import { loadWhenIdle } from '@/lib/idle'
import { useMedia } from '@/lib/media'
import { plural } from '@/lib/time'
import { useHotkeys } from '@/shell/hotkeys'
import { mayChange as mayChangeProject, useSession } from '@/shell/session'
import { canRetry, canRun, moveStops, type TicketAction, usePendingActions, useTicketActions } from '@/tickets/actions'
import { ConfirmMove } from '@/tickets/ConfirmMove'
import { RetryDialog } from '@/tickets/RetryDialog'
import { buttonClass, canStop, EmptyState, ErrorNote, isRunning, Screen, Skeleton, type Tab, Tabs, useTitle } from '@/ui'
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { lazy, Suspense, useEffect, useState } from 'react'
import { About } from './About'
import { Header } from './Header'
import { Steer } from './Steer'
import { Timeline } from './timeline/Timeline'
import { useTimeline } from './timeline/useTimeline'
import { Truth, Why } from './Truth'

// What is not seen first is loaded when it is opened.
const parts = {
  attempts: () => import('./Attempts'),
  diff: () => import('./diff/DiffTab'),
  review: () => import('./review/ReviewTab'),
  edit: () => import('./EditTicket'),
  delete: () => import('./DeleteTicket'),
}
const Attempts = lazy(parts.attempts)
const DiffTab = lazy(parts.diff)
const ReviewTab = lazy(parts.review)
const EditTicket = lazy(parts.edit)
const DeleteTicket = lazy(parts.delete)

type Page = TicketPage
type Open = { type: 'edit' } | { type: 'delete' } | { type: 'retry' } | { type: 'confirm'; move: Extract<TicketAction, { kind: 'move' }> } | null

export default function Ticket() {
  const { projectId, ticketId } = useParams({ strict: false }) as { projectId: string; ticketId: string }
  const page = useQuery({ queryKey: keys.ticketPage(ticketId), queryFn: ({ signal }) => api.get<Page>(`/api/projects/${projectId}/tickets/${ticketId}/page`, { signal }) })
  if (page.error instanceof ApiError && page.error.status === 404) {
    return (
      <Screen title="Ticket">
        <EmptyState icon="file" title="This ticket is not there." action={<Link to="/projects/$projectId/board" params={{ projectId }} className={buttonClass()}>Open the board</Link>}>
          It was deleted, or you may not see it.
        </EmptyState>
      </Screen>
    )
  }
  if (page.error && !page.data) return <Screen title="Ticket"><ErrorNote what="The ticket could not be loaded." error={page.error} onRetry={() => void page.refetch()} /></Screen>
  if (!page.data) return <Skeleton lines={9} label="Loading the ticket" className="p-6" />
  return <Loaded key={ticketId} page={page.data} fetchedAt={page.dataUpdatedAt} />
}

/** The columns that a ticket can move to; without them nothing is offered to move to. */
function useColumns(projectId: string) {
  const columns = useQuery({ queryKey: keys.columns(projectId), queryFn: ({ signal }) => api.get<Pick<Board, 'columns'>>(`/api/projects/${projectId}/kanban`, { signal }) })
  return columns.data?.columns ?? []
}

function Loaded({ page, fetchedAt }: { page: Page; fetchedAt: number }) {
  const { ticket, card } = page
  useTitle(ticket.title)
  const mayChange = mayChangeProject(useSession(), ticket.project_id)
  const pending = usePendingActions().get(card.id) ?? null
  const { mutate } = useTicketActions()
  const [open, setOpen] = useState<Open>(null)
  const columns = useColumns(ticket.project_id)
  const wide = useMedia('(min-width: 1280px)')
  const navigate = useNavigate()
  const act = (action: TicketAction) => {
    if (action.kind === 'move' && moveStops(action.card, action.to)) setOpen({ type: 'confirm', move: action })
    else mutate(action)
  }
  const whenFree = (run: () => void) => () => { if (mayChange && !pending) run() }
  useHotkeys('Ticket', [
    { key: 'r', about: 'Run, or try again', run: whenFree(() => { if (canRetry(card)) setOpen({ type: 'retry' }); else if (canRun(card)) act({ kind: 'run', card }) }) },
    { key: 'x', about: 'Stop', run: whenFree(() => { if (canStop(card.state.word)) act({ kind: 'stop', card }) }) },
    { key: 'e', about: 'Edit', run: whenFree(() => setOpen({ type: 'edit' })) },
    { key: 't', about: 'Tell the agent something', run: () => document.getElementById('steer')?.focus() },
    { key: 'u', about: 'Back to the board', run: () => void navigate({ to: '/projects/$projectId/board', params: { projectId: ticket.project_id } }) },
  ])
  useEffect(() => loadWhenIdle(...Object.values(parts)), [])
  const close = () => setOpen(null)
  const onEdit = mayChange ? () => setOpen({ type: 'edit' }) : null
  return (
    <div className="flex h-[calc(100dvh-3rem-4rem)] flex-col gap-3 p-3 lg:h-[calc(100dvh-3rem)] lg:px-5 lg:py-4">
      <Header ticket={ticket} card={card} pending={pending} mayChange={mayChange} columns={columns} act={act} onRetry={() => setOpen({ type: 'retry' })} onEdit={() => setOpen({ type: 'edit' })} onDelete={() => setOpen({ type: 'delete' })} />
      <Truth card={card} fetchedAt={fetchedAt} />
      <Why card={card} detail={page.attempts.at(-1)?.detail ?? null} mayChange={mayChange} pending={pending} onEnd={() => act({ kind: 'end_wait', card })} />
      <div className="flex min-h-0 grow gap-5">
        <Views page={page} wide={wide} mayChange={mayChange} onEdit={onEdit} />
        {wide && <aside aria-label="About this ticket" className="w-84 shrink-0 overflow-y-auto pb-4"><About page={page} onEdit={onEdit} /></aside>}
      </div>
      <Suspense fallback={null}>
        {open?.type === 'edit' && <EditTicket ticket={ticket} running={isRunning(card.state.word)} onClose={close} />}
        {open?.type === 'delete' && <DeleteTicket ticket={ticket} onClose={close} />}
        {open?.type === 'retry' && <RetryDialog card={card} onClose={close} onRetry={(note) => mutate({ kind: 'retry', card, note })} />}
        {open?.type === 'confirm' && <ConfirmMove move={open.move} onClose={close} onConfirm={() => mutate(open.move)} />}
      </Suspense>
    </div>
  )
}

function Views({ page, wide, mayChange, onEdit }: { page: Page; wide: boolean; mayChange: boolean; onEdit: (() => void) | null }) {
  const { ticket, card } = page
  const { show } = useSearch({ strict: false }) as { show?: string }
  const navigate = useNavigate()
  const { state, store } = useTimeline(ticket.project_id, ticket.id)
  const empty = card.state.word === 'backlog' ? 'The log begins when the ticket is run.' : `${card.state.sentence} The first words usually come within ten seconds of the start.`
  const tabs: Tab[] = [
    {
      id: 'log', title: 'Log',
      content: (
        <div className="flex h-full flex-col gap-3">
          <Timeline projectId={ticket.project_id} ticketId={ticket.id} state={state} store={store} messages={page.messages} running={isRunning(card.state.word)} empty={empty} />
          <Steer card={card} messages={page.messages} mayChange={mayChange} />
        </div>
      ),
    },
    { id: 'changes', title: card.diffstat ? <>Changes <span className="text-muted">{plural(card.diffstat.files, 'file')}</span></> : 'Changes', content: <div className="flex h-full flex-col"><Suspense fallback={<Skeleton />}><DiffTab projectId={ticket.project_id} ticketId={ticket.id} diffs={page.diffs} /></Suspense></div> },
    { id: 'attempts', title: `Attempts ${page.attempts.length}`, content: <div className="h-full overflow-y-auto" tabIndex={0} role="region" aria-label="Attempts"><Suspense fallback={<Skeleton />}><Attempts attempts={page.attempts} /></Suspense></div> },
  ]
  if (ticket.pr_number) {
    tabs.splice(1, 0, {
      id: 'review', title: <>Pull request <span className="text-muted">#{ticket.pr_number}</span></>,
      content: <div className="h-full overflow-y-auto" tabIndex={0} role="region" aria-label="Pull request"><Suspense fallback={<Skeleton />}><ReviewTab projectId={ticket.project_id} ticketId={ticket.id} mayChange={mayChange} /></Suspense></div>,
    })
  }
  if (!wide) tabs.push({ id: 'about', title: 'Ticket', content: <div className="h-full overflow-y-auto"><About page={page} onEdit={onEdit} /></div> })
  const value = tabs.some(({ id }) => id === show) ? (show as string) : 'log'
  return (
    <Tabs
      label="Views of this ticket" className="fill-tabs flex min-h-0 min-w-0 grow flex-col" tabs={tabs} value={value}
      onChange={(id) => void navigate({ to: '.', replace: true, search: id === 'log' ? {} : { show: id } })}
    />
  )
}
