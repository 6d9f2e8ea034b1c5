import { describe, expect, it } from 'vitest'
import type { Entry, EntryData } from '@/api/contract'
import { type Block, fold, merge, rowsOf, toolsOf } from './fold'

let next = 1
function entry(data: EntryData | null, more: Partial<Entry> = {}): Entry {
  const seq = next++
  return { seq, id: `e${seq}`, step: 's', summary: '', success: true, created_at: new Date(seq * 1_000).toISOString(), session_id: 's', attempt: 1, data, raw_bytes: 0, ...more }
}
const started = (turn: number, more: Partial<Entry> = {}) => entry({ kind: 'turn_started', phase: 'execution', turn, prompt_bytes: 1, messages: [] }, more)
const ended = (turn: number) => entry({ kind: 'turn_ended', phase: 'execution', turn, tools: 1, took_ms: 5 })
const tool = (turn: number, more: Partial<Entry> = {}) => entry({ kind: 'tool', phase: 'execution', turn, tool: 'bash', title: 'ls', status: 'completed', took_ms: 1 }, more)
const verdict = (turn: number, approved: boolean) => entry({ kind: 'verdict', phase: 'turn_review', turn, round: null, approved, complete: null, feedback: 'why', next: null })
const commit = (turn: number) => entry({ kind: 'commit', turn, commit: 'abc', files: 1, added: 2, removed: 3 })
const shape = (blocks: Block[]) => blocks.map((block) => (block.type === 'turn' ? `turn ${block.turn.turn} (${block.turn.entries.length})` : block.type))

describe('the timeline', () => {
  it('folds by turn, with the verdicts between', () => {
    const blocks = fold([entry(null), started(1), tool(1), tool(1, { success: false }), commit(1), ended(1), verdict(1, false), started(2), tool(2)])
    expect(shape(blocks)).toEqual(['note', 'turn 1 (3)', 'verdict', 'turn 2 (1)'])
    const first = blocks[1]
    expect(first).toMatchObject({ turn: { tools: 2, errors: 1, tookMs: 5, commit: { added: 2 } } })
  })

  it('a verdict’s answer is the turn after it, and none if the Director speaks again first', () => {
    const blocks = fold([started(1), verdict(1, false), verdict(1, true), entry(null), started(2), commit(2)])
    expect(shape(blocks)).toEqual(['turn 1 (0)', 'verdict', 'verdict', 'note', 'turn 2 (1)'])
    const answers = blocks.flatMap((block) => (block.type === 'verdict' ? [block.answer?.turn ?? null] : []))
    expect(answers).toEqual([null, 2])
  })

  it('a turn whose beginning is not loaded is a turn all the same', () => {
    expect(shape(fold([tool(4), ended(4)]))).toEqual(['turn 4 (1)'])
    const [block] = fold([tool(4)])
    expect(block?.type === 'turn' && toolsOf(block.turn)).toBe('at least 1 tool call')
  })

  it('the same turn of another attempt is another turn', () => {
    expect(shape(fold([started(1), tool(1), started(1, { attempt: 2 }), tool(1, { attempt: 2 })]))).toEqual(['turn 1 (1)', 'turn 1 (1)'])
  })

  it('keeps what it does not know', () => {
    const strange = entry({ kind: 'wonder' } as unknown as EntryData)
    expect(shape(fold([strange, started(1), { ...strange, id: 'x' }]))).toEqual(['note', 'turn 1 (1)'])
  })

  it('opens the last turn, and what a person opened', () => {
    const blocks = fold([started(1), tool(1), ended(1), started(2), tool(2)])
    expect(rowsOf(blocks, () => undefined).map(({ type }) => type)).toEqual(['turn', 'turn', 'entry'])
    expect(rowsOf(blocks, () => true).map(({ type }) => type)).toEqual(['turn', 'entry', 'turn', 'entry'])
    expect(rowsOf(blocks, () => false).map(({ type }) => type)).toEqual(['turn', 'turn'])
  })

  it('a long silence is a line', () => {
    const late = new Date(600_000).toISOString()
    const rows = rowsOf(fold([entry(null, { created_at: new Date(0).toISOString() }), entry(null, { created_at: late })]), () => undefined)
    expect(rows.map((row) => (row.type === 'silence' ? row.ms : row.type))).toEqual(['entry', 600_000, 'entry'])
  })
})

describe('pages of the log', () => {
  const at = (seq: number, id = `e${seq}`) => entry(null, { seq, id })
  it('joins in order, each entry once', () => {
    const have = [at(5), at(6)]
    expect(merge(have, [at(6), at(7)]).map(({ seq }) => seq)).toEqual([5, 6, 7])
    expect(merge([at(1), at(2)], have).map(({ seq }) => seq)).toEqual([1, 2, 5, 6])
  })
  it('puts what was committed late in its place', () => {
    expect(merge([at(5), at(7)], [at(6), at(7), at(8)]).map(({ seq }) => seq)).toEqual([5, 6, 7, 8])
  })
  it('is the same list when nothing is new', () => {
    const have = [at(5)]
    expect(merge(have, [at(5)])).toBe(have)
  })
})
