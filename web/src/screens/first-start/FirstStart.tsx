import { api } from '@/api/client'
import type { Fleet } from '@/api/contract'
import { keys } from '@/api/keys'
import type { Readiness } from '@/api/types'
import { cx } from '@/lib/cx'
import { JoinHost } from '@/parts/JoinHost'
import { projectsQuery } from '@/shell/projects'
import { isAdmin, useSession } from '@/shell/session'
import { buttonClass, EmptyState, ErrorNote, Icon, Screen } from '@/ui'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import { AdminStep } from './AdminStep'
import { ModelStep } from './ModelStep'
import { Next } from './Next'
import { ProjectStep } from './ProjectStep'
import { nextStep, type Step, type StepId, steps } from './steps'
import { TicketStep } from './TicketStep'

export default function FirstStart() {
  const session = useSession()
  if (!isAdmin(session)) {
    return <Screen title="First start"><EmptyState title="An admin sets this up" action={<Link to="/board" className={buttonClass()}>Open the board</Link>}>The model, the forge and the hosts are set by admins. Ask one, or look at the board.</EmptyState></Screen>
  }
  return <Steps />
}

function Steps() {
  const session = useSession()
  const readiness = useQuery({ queryKey: keys.readiness, queryFn: ({ signal }) => api.get<Readiness>('/api/settings/check', { signal }) })
  const projects = useQuery(projectsQuery)
  const fleet = useQuery({ queryKey: keys.fleet, queryFn: ({ signal }) => api.get<Fleet>('/api/fleet', { signal }) })
  const list = steps({ session, readiness: readiness.data, projects: projects.data, fleet: fleet.data })
  // A step that was opened stays open when it gets done, so that its result can be read; the next one is a press away.
  const [wanted, setWanted] = useState<StepId | null>(null)
  if (wanted === null && list.every((step) => step.done !== null)) setWanted(nextStep(list))
  const open = wanted
  const go = (from: StepId) => setWanted(list[list.findIndex((step) => step.id === from) + 1]?.id ?? null)
  const failed = [readiness, projects, fleet].find((query) => query.error && !query.data)
  const content: Record<StepId, ReactNode> = {
    admin: <AdminStep session={session} onNext={() => go('admin')} />,
    model: <ModelStep done={list[1]?.done === true} onNext={() => go('model')} />,
    project: <ProjectStep projects={projects.data ?? []} onNext={() => go('project')} />,
    host: <div className="flex flex-col gap-4"><JoinHost />{list[3]?.done === true && <Next onNext={() => go('host')} />}</div>,
    ticket: <TicketStep projects={projects.data ?? []} list={list} />,
  }
  return (
    <Screen title="First start">
      <p className="-mt-2 text-sm text-muted">Five steps from nothing to a ticket that is being worked on. Each is checked as you go; you can leave and come back.</p>
      {failed && <ErrorNote error={failed.error} onRetry={() => void failed.refetch()} />}
      <ol aria-label="Steps" className="flex flex-col gap-3">
        {list.map((step, index) => <Item key={step.id} step={step} number={index + 1} open={step.id === open} onOpen={() => setWanted(step.id)}>{content[step.id]}</Item>)}
      </ol>
    </Screen>
  )
}

function Item({ step, number, open, onOpen, children }: { step: Step; number: number; open: boolean; onOpen: () => void; children: ReactNode }) {
  return (
    <li className={cx('rounded-lg border bg-surface', open ? 'border-accent shadow-card' : '')} aria-current={open ? 'step' : undefined}>
      <h2>
        <button type="button" aria-expanded={open} onClick={onOpen} className="flex w-full items-center gap-3 px-4 py-3 text-left">
          <span aria-hidden="true" className={cx('flex size-7 shrink-0 items-center justify-center rounded-full text-sm font-bold', step.done ? 'bg-good-soft text-good' : open ? 'bg-accent text-on-accent' : 'bg-sunken text-muted')}>
            {step.done ? <Icon name="check" /> : number}
          </span>
          <span className="flex min-w-0 grow flex-col">
            <span className="text-base font-semibold">{step.title}<span className="sr-only">{step.done ? ', done' : step.done === null ? ', not known yet' : ', to do'}</span></span>
            <span className="text-sm font-normal text-muted">{step.said ?? step.about}</span>
          </span>
        </button>
      </h2>
      {open && <div className="border-t p-4">{children}</div>}
    </li>
  )
}
