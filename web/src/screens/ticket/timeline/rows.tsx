/** The rows of the timeline, in two voices: the Director judges, the agent works. */
import { api } from '@/api/client'
import type { Entry, FullEntry, Msg } from '@/api/contract'
import { keys } from '@/api/keys'
import { cleanOutput } from '@/lib/text'
import { cx } from '@/lib/cx'
import { clockTime, bytes, exactly, plural, took } from '@/lib/time'
import { Badge, ErrorNote, Icon, type IconName, Linked, Output, Prose, Skeleton, type Tone } from '@/ui'
import { useQuery } from '@tanstack/react-query'
import { memo, type ReactNode } from 'react'
import { known, toolsOf, type Turn, turnTitle, type Verdict } from './fold'

export interface RowContext {
  projectId: string
  ticketId: string
  messages: Msg[]
  toggle: (key: string, open: boolean) => void
  isOpen: (key: string) => boolean
}

export function SilenceRow({ text }: { text: string }) {
  return <p className="flex items-center gap-3 py-2 text-xs text-muted before:h-px before:grow before:bg-line after:h-px after:grow after:bg-line">{text}</p>
}

function Time({ at }: { at: string }) {
  return <time dateTime={at} title={exactly(at)} className="shrink-0 text-2xs font-normal text-muted tabular max-sm:hidden">{clockTime(at)}</time>
}

/** The head of a turn: what came of it, without opening it. */
export function TurnRow({ turn, open, context }: { turn: Turn; open: boolean; context: RowContext }) {
  const said = turn.messages.map((id) => context.messages.find((message) => message.id === id)).filter((message) => message !== undefined)
  return (
    <div className="py-1">
      <h2>
        <button
          type="button" aria-expanded={open} onClick={() => context.toggle(turn.key, !open)}
          className="flex min-h-10 w-full flex-wrap items-center gap-x-3 gap-y-0.5 rounded-md border bg-surface px-3 py-1.5 text-left text-sm font-normal hover:bg-hover"
        >
          <Icon name={open ? 'down' : 'chevron'} className="text-muted" />
          <Icon name="agent" className="text-run" />
          <span className="font-semibold">{turnTitle(turn)}</span>
          <span className="text-xs text-muted">
            {toolsOf(turn)}{turn.tookMs !== null && `, ${took(turn.tookMs)}`}{turn.endedAt === null && ', no end in the log'}
          </span>
          {turn.errors > 0 && <Badge tone="bad">{plural(turn.errors, 'error')}</Badge>}
          {turn.commit && <CommitText commit={turn.commit} />}
          <span className="grow" />
          <Time at={turn.startedAt} />
        </button>
      </h2>
      {said.map((message) => (
        <p key={message.id} className="mt-1.5 ml-4 flex gap-2 rounded-md bg-accent-soft px-3 py-2 text-sm">
          <Icon name="person" className="mt-0.5 text-accent" />
          <span className="min-w-0"><span className="font-medium">{message.author}:</span> <span className="whitespace-pre-wrap"><Linked text={cleanOutput(message.text)} /></span></span>
        </p>
      ))}
    </div>
  )
}

function CommitText({ commit }: { commit: { commit: string; files: number; added: number; removed: number } }) {
  return (
    <span className="inline-flex gap-1.5 text-xs whitespace-nowrap">
      <code className="text-muted">{commit.commit.slice(0, 8)}</code>
      <span className="text-good">+{commit.added}</span><span className="text-bad">−{commit.removed}</span>
    </span>
  )
}

/** What the Director decided, why, what it asked for, and what the agent did then. */
export function VerdictRow({ entry, verdict, answer, context }: { entry: Entry; verdict: Verdict; answer: Turn | null; context: RowContext }) {
  const { word: decision, tone, icon, reason } = judgement(verdict)
  const what = verdict.phase === 'plan_review' ? `the plan${verdict.round === null ? '' : `, round ${verdict.round}`}` : `turn ${verdict.turn}`
  return (
    <section className="my-1 rounded-md border-l-4 border-l-review bg-review-soft px-3 py-2.5" aria-label={`The Director on ${what}`}>
      <h2 className="flex flex-wrap items-center gap-2 text-sm">
        <Icon name="director" className="text-review" />
        <span>Director on {what}</span>
        <Badge tone={tone} icon={icon}>{decision}</Badge>
        <span className="grow" />
        <Time at={entry.created_at} />
      </h2>
      {verdict.feedback && <Said title={reason} text={verdict.feedback} />}
      {verdict.next && <Said title="Asked for" text={verdict.next} />}
      {answer && (
        <p className="mt-2 flex flex-wrap items-center gap-2 text-xs text-ink">
          <span className="font-semibold">What changed</span>
          <button type="button" className="underline" onClick={() => context.toggle(answer.key, true)}>{turnTitle(answer)}</button>
          {answer.commit ? <CommitText commit={answer.commit} /> : <span>{answer.endedAt === null ? 'no commit yet' : 'no commit'}</span>}
        </p>
      )}
    </section>
  )
}

/** A plan is approved or refused. A turn is complete or not, which is no fault of it: most tickets take several. */
function judgement(verdict: Verdict): { word: string; tone: Tone; icon: IconName; reason: string } {
  if (verdict.complete === true) return { word: 'Complete', tone: 'good', icon: 'done', reason: 'Because' }
  if (verdict.phase === 'turn_review') return { word: 'Not complete', tone: 'wait', icon: 'turn', reason: 'Because' }
  if (verdict.approved) return { word: 'Approved', tone: 'good', icon: 'done', reason: 'Because' }
  return { word: 'Refused', tone: 'bad', icon: 'failed', reason: 'Why not' }
}

function Said({ title, text }: { title: string; text: string }) {
  return (
    <div className="mt-2">
      <h3 className="text-xs font-semibold">{title}</h3>
      <Prose text={text} />
    </div>
  )
}

interface EntryRowProps { entry: Entry; inTurn: boolean; context: RowContext }

export const EntryRow = memo(function EntryRow({ entry, inTurn, context }: EntryRowProps) {
  return <div data-seq={entry.seq} className={cx('py-0.5', inTurn && 'ml-4 border-l pl-3')}><EntryContent entry={entry} context={context} /></div>
}, (a, b) => a.entry === b.entry && a.inTurn === b.inTurn && a.context.isOpen(a.entry.id) === b.context.isOpen(b.entry.id))

function EntryContent({ entry, context }: { entry: Entry; context: RowContext }) {
  const data = known(entry)
  switch (data?.kind) {
    case 'tool':
      return (
        <Openable
          entry={entry} context={context} icon={data.status === 'error' ? 'failed' : toolIcon(data.tool)} bad={data.status === 'error'}
          line={<><span className="font-semibold">{data.tool}</span> <span className="font-mono">{cleanOutput(data.title ?? '')}</span></>}
          end={data.took_ms === null ? null : took(data.took_ms)}
        />
      )
    case 'said':
      return (
        <div className="flex gap-2 py-1">
          <Icon name="agent" className="mt-1 text-run" />
          <div className="min-w-0 grow">
            <Prose text={entry.summary} />
            {entry.raw_bytes > entry.summary.length + 8 && <Openable entry={entry} context={context} icon="more" line="All of it" end={bytes(entry.raw_bytes)} prose timed={false} />}
          </div>
          <Time at={entry.created_at} />
        </div>
      )
    case 'turn_ended':
      return <Openable entry={entry} context={context} icon="agent" line="What the agent said at the end" end={bytes(entry.raw_bytes)} prose />
    case 'plan':
      return <Openable entry={entry} context={context} icon="plan" line={<span className="font-semibold">Plan, round {data.round}</span>} end={bytes(entry.raw_bytes)} prose />
    case 'todo':
      return <Plain icon="plan" at={entry.created_at}>To-do: {data.items.filter(({ status }) => status === 'completed').length} of {data.items.length} done</Plain>
    case 'commit':
      return <Plain icon="check" at={entry.created_at}>Committed {plural(data.files, 'file')} <CommitText commit={data} /></Plain>
    case 'pull_request':
      return <Plain icon="pr" at={entry.created_at}>Pull request: <Linked text={data.url} /></Plain>
    default:
      return entry.raw_bytes > 0
        ? <Openable entry={entry} context={context} icon={entry.success ? 'info' : 'failed'} bad={!entry.success} line={cleanOutput(entry.summary)} end={bytes(entry.raw_bytes)} />
        : <Plain icon={entry.success ? 'info' : 'failed'} bad={!entry.success} at={entry.created_at}><Linked text={cleanOutput(entry.summary)} /></Plain>
  }
}

function toolIcon(tool: string): IconName {
  if (/^(read|list|ls|glob|view)/.test(tool)) return 'file'
  if (/^(edit|write|patch|apply)/.test(tool)) return 'edit'
  if (/^(grep|search|find|web)/.test(tool)) return 'search'
  return 'agent'
}

function Plain({ icon, at, bad = false, children }: { icon: IconName; at: string; bad?: boolean; children: ReactNode }) {
  return (
    <p className="flex items-start gap-2 py-1 text-sm">
      <Icon name={icon} className={cx('mt-0.5', bad ? 'text-bad' : 'text-muted')} />
      <span className="min-w-0 grow whitespace-pre-wrap">{children}</span>
      <Time at={at} />
    </p>
  )
}

interface OpenableProps { entry: Entry; context: RowContext; icon: IconName; line: ReactNode; end: string | null; bad?: boolean; prose?: boolean; timed?: boolean }

/** A line that opens to what stands behind it, which is fetched only then. */
function Openable({ entry, context, icon, line, end, bad = false, prose = false, timed = true }: OpenableProps) {
  const open = context.isOpen(entry.id)
  return (
    <div>
      <button
        type="button" aria-expanded={open} onClick={() => context.toggle(entry.id, !open)}
        className="flex min-h-7 w-full items-center gap-2 rounded px-1 py-0.5 text-left text-xs hover:bg-hover"
      >
        <Icon name={open ? 'down' : 'chevron'} className="size-3 text-muted" />
        <Icon name={icon} className={cx('size-3.5', bad ? 'text-bad' : 'text-muted')} />
        <span className="min-w-0 grow truncate">{line}{bad && <span className="text-bad"> failed</span>}</span>
        {end && <span className="shrink-0 text-2xs text-muted tabular">{end}</span>}
        {timed && <Time at={entry.created_at} />}
      </button>
      {open && <div className="mt-1 mb-2"><Raw entry={entry} context={context} prose={prose} /></div>}
    </div>
  )
}

function Raw({ entry, context, prose }: { entry: Entry; context: RowContext; prose: boolean }) {
  const { projectId, ticketId } = context
  const full = useQuery({
    queryKey: keys.entry(ticketId, entry.id),
    queryFn: ({ signal }) => api.get<FullEntry>(`/api/projects/${projectId}/tickets/${ticketId}/logs/${entry.id}`, { signal }),
  })
  if (full.error) return <ErrorNote error={full.error} onRetry={() => void full.refetch()} />
  if (!full.data) return <Skeleton lines={2} label="Loading what it wrote" />
  const text = full.data.raw_output
  if (!text) return <p className="text-xs text-muted">It wrote nothing.</p>
  return prose ? <div className="rounded-md border bg-surface p-3"><Prose text={text} /></div> : <Output text={text} label={`Output of ${entry.summary}`} />
}
