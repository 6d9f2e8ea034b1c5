/** The one vocabulary of states: a word, an icon and a colour each. It shows what the server said and concludes nothing. */
import type { State as StateOf, Word } from '@/api/contract'
import { cx } from '@/lib/cx'
import type { ReactNode } from 'react'
import { Icon, type IconName } from './Icon'

export type Tone = 'quiet' | 'wait' | 'run' | 'review' | 'good' | 'bad' | 'silent'

export const tones: Record<Tone, string> = {
  quiet: 'bg-quiet-soft text-quiet',
  wait: 'bg-wait-soft text-wait',
  run: 'bg-run-soft text-run',
  review: 'bg-review-soft text-review',
  good: 'bg-good-soft text-good',
  bad: 'bg-bad-soft text-bad',
  silent: 'bg-silent-soft text-silent',
}

const looks: Record<Word, { word: string; icon: IconName; tone: Tone }> = {
  backlog: { word: 'Backlog', icon: 'backlog', tone: 'quiet' },
  waiting: { word: 'Waiting', icon: 'waiting', tone: 'wait' },
  starting: { word: 'Starting', icon: 'starting', tone: 'run' },
  research: { word: 'Research', icon: 'research', tone: 'run' },
  plan: { word: 'Plan', icon: 'plan', tone: 'run' },
  plan_review: { word: 'Plan review', icon: 'review', tone: 'run' },
  turn: { word: 'Turn', icon: 'turn', tone: 'run' },
  opening_pr: { word: 'Opening PR', icon: 'pr', tone: 'run' },
  in_review: { word: 'In review', icon: 'pr', tone: 'review' },
  done: { word: 'Done', icon: 'done', tone: 'good' },
  failed: { word: 'Failed', icon: 'failed', tone: 'bad' },
  cancelled: { word: 'Cancelled', icon: 'cancelled', tone: 'quiet' },
  stopping: { word: 'Stopping', icon: 'stopping', tone: 'wait' },
  silent: { word: 'Silent', icon: 'silent', tone: 'silent' },
  held: { word: 'Needs you', icon: 'waiting', tone: 'review' },
}

/** The word of a state; one that this page does not know is shown as the server wrote it. */
export function wordOf(state: Pick<StateOf, 'word' | 'turn'>): string {
  const look = looks[state.word] as (typeof looks)[Word] | undefined
  if (!look) return String(state.word).replaceAll('_', ' ')
  return state.word === 'turn' && state.turn !== null ? `Turn ${state.turn}` : look.word
}

export function toneOf(word: Word): Tone {
  return (looks[word] as { tone: Tone } | undefined)?.tone ?? 'quiet'
}

/** States in which something runs for the ticket. */
const running = new Set<Word>(['starting', 'research', 'plan', 'plan_review', 'turn', 'opening_pr', 'stopping', 'silent'])
export function isRunning(word: Word): boolean {
  return running.has(word)
}
/** States from which a ticket can be stopped. */
export function canStop(word: Word): boolean {
  return word === 'waiting' || word === 'held' || (running.has(word) && word !== 'stopping')
}

export function StateBadge({ state, className }: { state: Pick<StateOf, 'word' | 'turn'>; className?: string }) {
  const icon = (looks[state.word] as { icon: IconName } | undefined)?.icon ?? 'info'
  return <Badge tone={toneOf(state.word)} icon={icon} className={className}>{wordOf(state)}</Badge>
}

export function Badge({ tone = 'quiet', icon, className, children }: { tone?: Tone; icon?: IconName; className?: string | undefined; children: ReactNode }) {
  return (
    <span className={cx('inline-flex h-5 max-w-full items-center gap-1 rounded px-1.5 text-xs font-semibold whitespace-nowrap', tones[tone], className)}>
      {icon && <Icon name={icon} className="size-3" />}
      <span className="truncate">{children}</span>
    </span>
  )
}
