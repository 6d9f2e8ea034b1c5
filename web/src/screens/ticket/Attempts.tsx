import type { Attempt } from '@/api/contract'
import { took } from '@/lib/time'
import { Badge, EmptyState, Output, TimeAgo, type Tone } from '@/ui'

const outcomes: Record<string, { word: string; tone: Tone }> = {
  completed: { word: 'Completed', tone: 'good' },
  failed: { word: 'Failed', tone: 'bad' },
  cancelled: { word: 'Cancelled', tone: 'quiet' },
  retried: { word: 'Tried again', tone: 'wait' },
  released: { word: 'Given back', tone: 'quiet' },
}

/** Each try with how it ended, the newest first. */
export default function Attempts({ attempts }: { attempts: Attempt[] }) {
  if (attempts.length === 0) return <EmptyState icon="retry" title="No attempt yet">An attempt begins when a coordinator claims the ticket’s job.</EmptyState>
  return (
    <ol className="flex flex-col gap-3">
      {attempts.toReversed().map((attempt) => <li key={`${attempt.job_id} ${attempt.attempt}`}><One attempt={attempt} /></li>)}
    </ol>
  )
}

function One({ attempt }: { attempt: Attempt }) {
  const outcome = attempt.outcome === null ? null : (outcomes[attempt.outcome] ?? { word: attempt.outcome, tone: 'quiet' as const })
  const ms = attempt.claimed_at && attempt.ended_at ? Date.parse(attempt.ended_at) - Date.parse(attempt.claimed_at) : null
  return (
    <section className="rounded-lg border bg-surface p-4">
      <h2 className="flex flex-wrap items-center gap-2 text-sm">
        Attempt {attempt.attempt}{attempt.kind !== 'ticket' && ` (${attempt.kind})`}
        {outcome ? <Badge tone={outcome.tone}>{outcome.word}</Badge> : <Badge tone="run">Not ended</Badge>}
      </h2>
      <p className="mt-1 text-xs text-muted">
        {attempt.worker_id && <>on {attempt.worker_name ?? attempt.worker_id} </>}
        {attempt.claimed_at && <>claimed <TimeAgo at={attempt.claimed_at} /></>}
        {ms !== null && <>, took {took(ms)}</>}
        {attempt.exit_code !== null && <>, exit code {attempt.exit_code}</>}
      </p>
      {attempt.reason && <p className="mt-2 text-sm">Reason: {attempt.reason.replaceAll('_', ' ')}.{attempt.detail && ` ${attempt.detail}`}</p>}
      {attempt.log_tail && (
        <details className="mt-2">
          <summary className="cursor-pointer text-sm text-accent">The end of its log</summary>
          <Output text={attempt.log_tail} label={`The end of the log of attempt ${attempt.attempt}`} className="mt-2" />
        </details>
      )}
    </section>
  )
}
