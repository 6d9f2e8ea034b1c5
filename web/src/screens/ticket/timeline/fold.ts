/** Turns the log's entries into what the timeline shows: turns that can be folded, and the Director's verdicts between them. Pure. */
import type { Entry, EntryData } from '@/api/contract'
import { plural } from '@/lib/time'

export type Verdict = Extract<EntryData, { kind: 'verdict' }>
export type Commit = Extract<EntryData, { kind: 'commit' }>

/** One drive of the agent: its research, its plan, or a turn. */
export interface Turn {
  key: string
  attempt: number | null
  phase: string
  turn: number
  startedAt: string
  /** Null while the log has no end of it. */
  endedAt: string | null
  tookMs: number | null
  /** As the end of the turn says, or as many as are here. */
  tools: number
  /** Whether its beginning is here: older entries are loaded later. */
  whole: boolean
  errors: number
  commit: Commit | null
  /** Ids of the messages that its prompt contained. */
  messages: string[]
  entries: Entry[]
}

export type Block =
  | { type: 'turn'; turn: Turn }
  /** `answer` is what the agent did after it. */
  | { type: 'verdict'; entry: Entry; verdict: Verdict; answer: Turn | null }
  | { type: 'note'; entry: Entry }

const KNOWN = new Set(['turn_started', 'turn_ended', 'tool', 'said', 'todo', 'plan', 'verdict', 'commit', 'pull_request'])

/** The data of an entry, if this page knows its kind. */
export function known(entry: Entry): EntryData | null {
  return entry.data && KNOWN.has(entry.data.kind) ? entry.data : null
}

/** Ascending by `seq`, each id once; of two copies the later one stays. */
export function merge(have: readonly Entry[], more: readonly Entry[]): Entry[] {
  const last = have.at(-1)
  if (more.length === 0) return have as Entry[]
  const ids = new Set(have.map((entry) => entry.id))
  const fresh = more.filter((entry) => !ids.has(entry.id))
  if (fresh.length === 0) return have as Entry[]
  const all = [...have, ...fresh]
  if (last && fresh.every((entry, index) => entry.seq > (fresh[index - 1]?.seq ?? last.seq))) return all
  return all.sort((a, b) => a.seq - b.seq)
}

export function fold(entries: readonly Entry[]): Block[] {
  const blocks: Block[] = []
  let open: Turn | null = null
  const begin = (entry: Entry, phase: string, turn: number): Turn => {
    const started: Turn = {
      key: `${entry.attempt}/${phase}/${turn}/${entry.id}`, attempt: entry.attempt, phase, turn, startedAt: entry.created_at,
      endedAt: null, tookMs: null, tools: 0, whole: false, errors: 0, commit: null, messages: [], entries: [],
    }
    blocks.push({ type: 'turn', turn: started })
    return started
  }
  for (const entry of entries) {
    const data = known(entry)
    if (open && open.attempt !== entry.attempt) open = null
    if (data?.kind === 'turn_started') {
      open = begin(entry, data.phase, data.turn)
      open.messages = data.messages ?? []
      open.whole = true
    } else if (data?.kind === 'verdict') {
      blocks.push({ type: 'verdict', entry, verdict: data, answer: null })
      // What follows belongs to no turn until the next one begins.
      open = null
    } else if (data?.kind === 'pull_request') {
      blocks.push({ type: 'note', entry })
    } else if (data && 'phase' in data) {
      // History is loaded from its end, so a turn's beginning may not be here yet.
      if (!open || open.phase !== data.phase || open.turn !== data.turn) open = begin(entry, data.phase, data.turn)
      take(open, entry, data)
    } else if (open) {
      open.entries.push(entry)
      if (data?.kind === 'commit') open.commit = data
    } else {
      blocks.push({ type: 'note', entry })
    }
  }
  answerVerdicts(blocks)
  return blocks
}

function take(turn: Turn, entry: Entry, data: EntryData): void {
  if (data.kind === 'turn_ended') {
    turn.endedAt = entry.created_at
    turn.tookMs = data.took_ms
    turn.tools = Math.max(turn.tools, data.tools)
    turn.whole = true
    // With the agent's last words, if it had any.
    if (entry.raw_bytes > 0) turn.entries.push(entry)
    return
  }
  turn.entries.push(entry)
  if (data.kind !== 'tool') return
  turn.tools += 1
  if (data.status === 'error' || !entry.success) turn.errors += 1
}

/** A verdict's answer is the next turn of the same attempt, up to the next verdict. */
function answerVerdicts(blocks: Block[]): void {
  for (const [at, block] of blocks.entries()) {
    if (block.type !== 'verdict') continue
    for (const next of blocks.slice(at + 1)) {
      if (next.type === 'verdict') break
      if (next.type === 'turn') {
        block.answer = next.turn
        break
      }
    }
  }
}

export type Row =
  | { type: 'turn'; key: string; turn: Turn; open: boolean; last: boolean }
  | { type: 'entry'; key: string; entry: Entry; turn: Turn | null }
  | { type: 'verdict'; key: string; entry: Entry; verdict: Verdict; answer: Turn | null }
  | { type: 'silence'; key: string; ms: number }

/** A pause that is worth a line. */
const SILENCE_MS = 120_000

/** The rows of the list. `isOpen` says which turns a person has opened or folded; by default the last one is open. */
export function rowsOf(blocks: readonly Block[], isOpen: (key: string) => boolean | undefined): Row[] {
  const rows: Row[] = []
  let before: string | null = null
  const lastTurn = blocks.findLast((block) => block.type === 'turn')
  const silence = (at: string, key: string) => {
    const ms = before === null ? 0 : Date.parse(at) - Date.parse(before)
    if (ms >= SILENCE_MS) rows.push({ type: 'silence', key: `silence ${key}`, ms })
    before = at
  }
  for (const block of blocks) {
    if (block.type === 'turn') {
      const { turn } = block
      const last = block === lastTurn
      const open = isOpen(turn.key) ?? last
      silence(turn.startedAt, turn.key)
      rows.push({ type: 'turn', key: turn.key, turn, open, last })
      for (const entry of turn.entries) {
        if (open) {
          silence(entry.created_at, entry.id)
          rows.push({ type: 'entry', key: entry.id, entry, turn })
        } else {
          before = entry.created_at
        }
      }
      before = turn.endedAt ?? before
    } else {
      silence(block.entry.created_at, block.entry.id)
      if (block.type === 'verdict') rows.push({ type: 'verdict', key: block.entry.id, entry: block.entry, verdict: block.verdict, answer: block.answer })
      else rows.push({ type: 'entry', key: block.entry.id, entry: block.entry, turn: null })
    }
  }
  return rows
}

export function toolsOf(turn: Pick<Turn, 'tools' | 'whole'>): string {
  return `${turn.whole ? '' : 'at least '}${plural(turn.tools, 'tool call')}`
}

const PHASES: Record<string, string> = { research: 'Research', plan: 'Plan', setup: 'Setup', review: 'Review', conflicts: 'Conflicts' }

export function turnTitle(turn: Pick<Turn, 'phase' | 'turn'>): string {
  if (turn.phase === 'execution') return `Turn ${turn.turn}`
  const phase = PHASES[turn.phase] ?? turn.phase
  // Turns are counted over all phases, but for those that only resolve conflicts.
  return turn.phase === 'conflicts' ? phase : `${phase} (turn ${turn.turn})`
}
