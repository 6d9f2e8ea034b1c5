/** One work order: its lines, how it stands, what its agent does, and what can be done about it. */
import { api } from '@/api/client'
import type { Launched, OrderCancelled, OrderDetail, TicketPage } from '@/api/contract'
import { ApiError } from '@/api/errors'
import { keys } from '@/api/keys'
import { took } from '@/lib/time'
import { branchOf, canLaunch, isOver, sources, statusLooks, titleOf } from '@/parts/orders'
import { projectsQuery } from '@/shell/projects'
import { mayChange, useSession } from '@/shell/session'
import { Badge, Button, buttonClass, Card, Confirm, EmptyState, ErrorNote, Icon, Kv, Output, Prose, Screen, Skeleton, StateBadge, TimeAgo, toast } from '@/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import { Lines } from './Lines'
import { Log } from './Log'

export default function Order() {
  const { orderId } = useParams({ strict: false }) as { orderId: string }
  const order = useQuery({ queryKey: keys.order(orderId), queryFn: ({ signal }) => api.get<OrderDetail>(`/api/v1/work-orders/${encodeURIComponent(orderId)}`, { signal }) })
  if (order.error instanceof ApiError && order.error.status === 404) {
    return <Screen title="Work order"><EmptyState icon="plan" title="This work order is not there." action={<Link to="/orders" className={buttonClass()}>All work orders</Link>}>Its ticket was deleted, or you may not see it.</EmptyState></Screen>
  }
  if (!order.data) {
    return <Screen title="Work order">{order.error ? <ErrorNote what="The work order could not be loaded." error={order.error} onRetry={() => void order.refetch()} /> : <Skeleton label="Loading the work order" lines={9} />}</Screen>
  }
  return <Loaded key={orderId} order={order.data} stale={order.error} onRetry={() => void order.refetch()} />
}

function Loaded({ order, stale, onRetry }: { order: OrderDetail; stale: unknown; onRetry: () => void }) {
  const may = mayChange(useSession(), order.project_id)
  const look = statusLooks[order.status]
  const title = titleOf(order)
  return (
    <Screen title={title} actions={may && <Actions order={order} />}>
      {stale != null && <ErrorNote error={stale} what="What you see may be old." onRetry={onRetry} />}
      <p className="flex flex-wrap items-center gap-x-3 gap-y-1.5 text-xs text-muted">
        <span role="status" aria-live="polite" className="inline-flex"><Badge tone={look.tone} icon={look.icon}>{look.word}</Badge></span>
        <span>ordered <TimeAgo at={order.created_at} /></span>
        {order.finished_at && <span>ended <TimeAgo at={order.finished_at} /></span>}
        <Link to="/projects/$projectId/tickets/$ticketId" params={{ projectId: order.project_id, ticketId: order.id }} className={buttonClass('plain', 'small')}><Icon name="file" className="size-3.5" />Its ticket</Link>
        {order.pr_url && <a href={order.pr_url} target="_blank" rel="noopener noreferrer" className={buttonClass('plain', 'small')}><Icon name="pr" className="size-3.5" />Pull request{order.pr_number !== null && ` #${order.pr_number}`}<Icon name="external" className="size-3" /></a>}
      </p>
      {!isOver(order.status) && <Standing order={order} />}
      {order.launch_error && <Why tone="wait" title="It was not launched." text={order.launch_error} />}
      {order.status === 'failed' && order.error_message && <Why tone="bad" title="It failed." text={order.error_message} />}
      <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,1fr)_20rem]">
        <div className="flex min-w-0 flex-col gap-4">
          {order.objective.trim() !== title && <Card title="Objective"><Prose text={order.objective} /></Card>}
          {order.lines.length > 0 && <Lines order={order} may={may} />}
          {order.summary && <Card title="What was done"><Prose text={order.summary} /></Card>}
          <Log order={order} />
        </div>
        <aside aria-label="About this order" className="flex min-w-0 flex-col gap-4"><About order={order} /><Prompt order={order} /></aside>
      </div>
    </Screen>
  )
}

/** What its ticket says: why it waits, or what its agent does now. */
function Standing({ order }: { order: OrderDetail }) {
  const page = useQuery({ queryKey: keys.ticketPage(order.id), queryFn: ({ signal }) => api.get<TicketPage>(`/api/projects/${order.project_id}/tickets/${order.id}/page`, { signal }) })
  const state = page.data?.card.state
  if (!state || state.word === 'backlog') return null
  return <p className="flex flex-wrap items-center gap-2 text-sm"><StateBadge state={state} />{state.why?.sentence ?? state.sentence}</p>
}

function Why({ tone, title, text }: { tone: 'wait' | 'bad'; title: string; text: string }) {
  return (
    <div className={`flex items-start gap-3 rounded-lg border px-4 py-3 text-sm ${tone === 'bad' ? 'border-bad/40 bg-bad-soft' : 'border-wait/40 bg-wait-soft'}`}>
      <Icon name="warning" className={`mt-0.5 ${tone === 'bad' ? 'text-bad' : 'text-wait'}`} />
      <div className="min-w-0"><p className="font-medium">{title}</p><Prose text={text} /></div>
    </div>
  )
}

function Actions({ order }: { order: OrderDetail }) {
  const queries = useQueryClient()
  const [asking, setAsking] = useState(false)
  const path = `/api/v1/work-orders/${order.id}`
  const renewed = () => { for (const queryKey of [keys.order(order.id), keys.orderLists]) void queries.invalidateQueries({ queryKey }) }
  const launch = useMutation({
    mutationFn: () => api.post<Launched>(`${path}/launch`),
    onSuccess: (done) => { renewed(); if (done.launch_error) toast.failed(`It was not launched. ${done.launch_error}`); else toast.done('The order is launched.') },
    onError: (error) => toast.failed('It was not launched.', error),
  })
  const cancel = useMutation({
    mutationFn: () => api.post<OrderCancelled>(`${path}/cancel`),
    onSuccess: (done) => { renewed(); setAsking(false); toast.done(done.status === 'cancelled' ? 'The order is cancelled.' : 'Its worker is asked to stop.') },
  })
  return (
    <>
      {canLaunch(order) && <Button kind="primary" icon="play" sending={launch.isPending} onClick={() => launch.mutate()}>{isOver(order.status) ? 'Launch it again' : 'Launch it'}</Button>}
      {!isOver(order.status) && <Button kind="danger" icon="stop" onClick={() => { cancel.reset(); setAsking(true) }}>Cancel the order</Button>}
      <Confirm open={asking} onClose={() => setAsking(false)} title="Cancel this work order?" action="Cancel the order" sending={cancel.isPending} error={cancel.error} onConfirm={() => cancel.mutate()}>
        <p>{order.status === 'running' ? 'Its agent is stopped. What it has pushed stays on its branch.' : 'Nobody works on it yet, so it ends at once.'} It can be launched again afterwards.</p>
      </Confirm>
    </>
  )
}

function About({ order }: { order: OrderDetail }) {
  const project = useQuery(projectsQuery).data?.find((one) => one.id === order.project_id)
  const tokens = order.tokens_input !== null || order.tokens_output !== null
  const branch = branchOf(order)
  const items: [string, ReactNode][] = [
    ['Repository', order.repo_id && project ? <Link to="/projects/$projectId/board" params={{ projectId: project.id }}>{project.name}</Link> : (order.repo_url ?? 'none')],
    ['Branch', branch ? <code key="branch" className="text-xs break-all">{branch}</code> : 'the repository’s default'],
    ['Agent', order.agent_name ?? 'the repository’s own'],
    ['Source', sources[order.source]],
  ]
  if (order.parent_work_order_id) items.push(['Follows', <Link key="parent" to="/orders/$orderId" params={{ orderId: order.parent_work_order_id }}>an earlier order</Link>])
  if (order.model) items.push(['Model', order.model])
  if (order.duration_ms !== null) items.push(['Worked for', took(order.duration_ms)])
  if (tokens) items.push(['Tokens', `${(order.tokens_input ?? 0).toLocaleString('en')} in, ${(order.tokens_output ?? 0).toLocaleString('en')} out`])
  if (order.total_cost !== null) items.push(['Cost', `$${order.total_cost.toFixed(2)}`])
  const given = ([['Constraints', order.constraints], ['Exploration hints', order.exploration_hints], ['Verification', order.verification], ['Metadata', order.metadata]] as const).filter(([, value]) => Object.keys(value ?? {}).length > 0)
  return (
    <Card title="About">
      <div className="flex flex-col gap-3">
        <Kv items={items} />
        {given.map(([name, value]) => (
          <details key={name}><summary className="cursor-pointer py-1 text-sm font-medium">{name}</summary><Output label={name} text={JSON.stringify(value, null, 2)} className="max-h-60" /></details>
        ))}
      </div>
    </Card>
  )
}

/** What its agent reads first, as it would be now. */
function Prompt({ order }: { order: OrderDetail }) {
  const [open, setOpen] = useState(false)
  const { objective, lines, constraints, exploration_hints, verification, repo_id, agent_id } = order
  const body = { objective, lines, constraints, exploration_hints, verification, repo_id, agent_id }
  const prompt = useQuery({ queryKey: [...keys.order(order.id), 'prompt', order.updated_at], enabled: open, queryFn: ({ signal }) => api.post<{ prompt: string }>('/api/v1/work-orders/preview', body, { signal }) })
  return (
    <Card title="Prompt" actions={<Button size="small" aria-expanded={open} onClick={() => setOpen(!open)}>{open ? 'Hide it' : 'Show it'}</Button>}>
      {!open && <p className="text-sm text-muted">What its agent reads first.</p>}
      {open && prompt.error && <ErrorNote error={prompt.error} onRetry={() => void prompt.refetch()} />}
      {open && prompt.isLoading && <Skeleton label="Loading the prompt" />}
      {open && prompt.data && <Output label="The prompt" text={prompt.data.prompt} />}
    </Card>
  )
}
