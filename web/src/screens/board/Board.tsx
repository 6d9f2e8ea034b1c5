import { api } from '@/api/client'
import type { Board as BoardData } from '@/api/contract'
import { keys } from '@/api/keys'
import { useMedia } from '@/lib/media'
import { useHotkeys } from '@/shell/hotkeys'
import { rememberProject } from '@/shell/projects'
import { mayChange as mayChangeProject, useSession } from '@/shell/session'
import { canRetry, canRun, moveStops, type TicketAction, usePendingActions, useTicketActions } from '@/tickets/actions'
import { ConfirmMove } from '@/tickets/ConfirmMove'
import { RetryDialog } from '@/tickets/RetryDialog'
import { canStop, ErrorNote, Screen, Skeleton, Tabs, useTitle } from '@/ui'
import { useQuery } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { useCallback, useDeferredValue, useEffect, useMemo, useRef, useState } from 'react'
import { Column, type ColumnHandle } from './Column'
import { useDrag } from './drag'
import { EmptyBoard } from './EmptyBoard'
import { neighbour, placeOf, type ShownCard, type ShownColumn, shownColumns } from './model'
import { MoveDialog } from './MoveDialog'
import { type Draft, NewTicket } from './NewTicket'
import type { CardCommands } from './TicketCard'
import { BoardBar } from './BoardBar'
import { useFilter } from './filter'

type Open = { type: 'new'; draft: Draft } | { type: 'retry' | 'move'; shown: ShownCard } | { type: 'confirm'; move: Extract<TicketAction, { kind: 'move' }> } | null

export default function Board() {
  const { projectId } = useParams({ strict: false }) as { projectId: string }
  const board = useQuery({ queryKey: keys.board(projectId), queryFn: ({ signal }) => api.get<BoardData>(`/api/projects/${projectId}/board`, { signal }) })
  useEffect(() => rememberProject(projectId), [projectId])
  if (board.error && !board.data) return <Screen title="Board"><ErrorNote what="The board could not be loaded." error={board.error} onRetry={() => void board.refetch()} /></Screen>
  if (!board.data) return <BoardSkeleton />
  return <Loaded key={projectId} board={board.data} />
}

function BoardSkeleton() {
  return (
    <div className="grid grow gap-3 p-4 md:grid-cols-4">
      <h1 className="sr-only">Board</h1>
      {['a', 'b', 'c', 'd'].map((id, index) => <Skeleton key={id} lines={6} label={index === 0 ? 'Loading the board' : ''} className={index === 0 ? '' : 'max-md:hidden'} />)}
    </div>
  )
}

function Loaded({ board }: { board: BoardData }) {
  useTitle('Board')
  const session = useSession()
  const mayChange = mayChangeProject(session, board.project_id)
  const wide = useMedia('(min-width: 768px)')
  const filter = useFilter()
  const find = useDeferredValue(filter.find)
  const pending = usePendingActions()
  const columns = useMemo(() => shownColumns(board, pending, find, filter.state), [board, pending, find, filter.state])
  const [focusedId, setFocusedId] = useState<string | null>(null)
  const [open, setOpen] = useState<Open>(null)
  const actions = useTicketActions()
  const { mutate } = actions

  const act = useCallback((action: TicketAction) => {
    if (action.kind === 'move' && moveStops(action.card, action.to)) setOpen({ type: 'confirm', move: action })
    else mutate(action)
  }, [mutate])
  const drop = (shown: ShownCard, to: string) => {
    const column = columns.find(({ id }) => id === to)
    if (column) act({ kind: 'move', card: shown.card, to, toTitle: column.title })
  }
  const { drag, grab } = useDrag(drop)
  const commands = useMemo<CardCommands>(() => ({
    act, grab, focused: setFocusedId,
    retry: (shown) => setOpen({ type: 'retry', shown }),
    move: (shown) => setOpen({ type: 'move', shown }),
  }), [act, grab])

  const handles = useRef(new Map<string, ColumnHandle>())
  const register = useCallback((id: string, handle: ColumnHandle | null) => {
    if (handle) handles.current.set(id, handle)
    else handles.current.delete(id)
  }, [])
  const [tab, setTab] = useTab(columns)
  useBoardKeys({
    columns, focusedId, mayChange, setOpen, act,
    focus: (shown) => {
      const place = placeOf(columns, shown.card.id)
      const column = place && columns[place.column]
      if (!column) return
      if (!wide) setTab(column.id)
      setFocusedId(shown.card.id)
      handles.current.get(column.id)?.focusCard(place.index)
    },
    find: () => document.getElementById('board-find')?.focus(),
  })

  const column = (one: ShownColumn, heading: boolean) => (
    <Column
      key={one.id} column={one} heading={heading} focusedId={focusedId} draggedId={drag?.shown.card.id ?? null} mayChange={mayChange} commands={commands}
      isTarget={drag !== null && drag.over === one.id && drag.shown.card.column_id !== one.id} filtered={find !== '' || filter.state !== 'all'}
      register={register}
    />
  )
  const close = () => setOpen(null)
  return (
    <div className="flex h-[calc(100dvh-3rem-4rem)] flex-col lg:h-[calc(100dvh-3rem)]">
      <BoardBar projectId={board.project_id} filter={filter} onNew={mayChange && board.cards.length > 0 ? () => setOpen({ type: 'new', draft: { title: '', description: '' } }) : null} />
      {board.cards.length === 0 ? <EmptyBoard mayChange={mayChange} onNew={(draft) => setOpen({ type: 'new', draft })} /> : wide ? (
        <div className="flex min-h-0 grow gap-3 overflow-x-auto px-4 pb-4 lg:px-5">{columns.map((one) => column(one, true))}</div>
      ) : (
        <Tabs
          label="Columns" value={tab} onChange={setTab} className="fill-tabs flex min-h-0 grow flex-col px-3"
          tabs={columns.map((one) => ({ id: one.id, title: `${one.title} ${one.cards.length}`, content: <div className="flex h-full">{column(one, false)}</div> }))}
        />
      )}
      {open?.type === 'new' && (
        <NewTicket projectId={board.project_id} draft={open.draft} backlog={columns[0]?.id ?? 'backlog'} onClose={close} onCreated={(ticket) => setTab(ticket.column_id)} />
      )}
      {open?.type === 'retry' && <RetryDialog card={open.shown.card} onClose={close} onRetry={(note) => mutate({ kind: 'retry', card: open.shown.card, note })} />}
      {open?.type === 'move' && (
        <MoveDialog card={open.shown.card} columns={columns} onClose={close} onMove={(to) => { close(); act({ kind: 'move', card: open.shown.card, to: to.id, toTitle: to.title }) }} />
      )}
      {open?.type === 'confirm' && <ConfirmMove move={open.move} onClose={close} onConfirm={() => mutate(open.move)} />}
    </div>
  )
}

/** On a phone: the column that is shown, at first the one where something goes on. */
function useTab(columns: ShownColumn[]): [string, (id: string) => void] {
  const [tab, setTab] = useState<string | null>(null)
  const first = columns.find(({ id, cards }) => id === 'in_progress' && cards.length > 0) ?? columns.find(({ cards }) => cards.length > 0) ?? columns[0]
  return [tab ?? first?.id ?? '', setTab]
}

interface Keys {
  columns: ShownColumn[]
  focusedId: string | null
  mayChange: boolean
  setOpen: (open: Open) => void
  act: (action: TicketAction) => void
  focus: (shown: ShownCard) => void
  find: () => void
}

function useBoardKeys({ columns, focusedId, mayChange, setOpen, act, focus, find }: Keys): void {
  const place = placeOf(columns, focusedId)
  const current = place ? (columns[place.column]?.cards[place.index] ?? null) : null
  const go = (key: 'j' | 'k' | 'h' | 'l') => () => {
    const next = neighbour(columns, place, key)
    if (next) focus(next)
  }
  const onCurrent = (run: (shown: ShownCard) => void) => () => { if (current && !current.pending && mayChange) run(current) }
  useHotkeys('Board', [
    { key: 'j', about: 'Next ticket', run: go('j') },
    { key: 'k', about: 'Previous ticket', run: go('k') },
    { key: 'l', about: 'Next column', run: go('l') },
    { key: 'h', about: 'Previous column', run: go('h') },
    { key: 'c', about: 'New ticket', run: () => { if (mayChange) setOpen({ type: 'new', draft: { title: '', description: '' } }) } },
    { key: 'r', about: 'Run, or try again', run: onCurrent((shown) => { if (canRetry(shown.card)) setOpen({ type: 'retry', shown }); else if (canRun(shown.card)) act({ kind: 'run', card: shown.card }) }) },
    { key: 'x', about: 'Stop', run: onCurrent(({ card }) => { if (canStop(card.state.word)) act({ kind: 'stop', card }) }) },
    { key: 'm', about: 'Move to another column', run: onCurrent((shown) => setOpen({ type: 'move', shown })) },
    { key: '/', about: 'Find tickets', run: find },
  ])
}

