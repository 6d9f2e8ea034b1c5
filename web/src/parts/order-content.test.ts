import { describe, expect, it } from 'vitest'
import { contentOf, moved, newLine, valuesOfContent } from './order-content'

const stored = {
  objective: 'Refactor auth', lines: [{ id: '1', title: 'Extract', definition_of_done: 'It has tests', owner: 'Ada' }, 'Docs'],
  constraints: { do_not_modify: ['migrations/'], must_use: ['axum'], tone: 'careful' }, verification: { test_command: 'cargo test' }, metadata: { team: 'core' },
}

describe('what a work order says', () => {
  it('comes back as it was stored, with what the form does not show', () => {
    expect(contentOf(valuesOfContent(stored), stored)).toEqual({ ...stored, lines: [stored.lines[0], { title: 'Docs' }] })
  })
  it('has no empty fields', () => {
    expect(contentOf(valuesOfContent({}))).toEqual({})
    expect(contentOf({ ...valuesOfContent({}), objective: ' Do it ', lines: [newLine()], start_here: '\n src/a.rs \n\n' })).toEqual({ objective: 'Do it', exploration_hints: { start_here: ['src/a.rs'] } })
  })
  it('loses what was emptied, and only that', () => {
    const values = valuesOfContent(stored)
    expect(contentOf({ ...values, do_not_modify: '', test_command: '', lines: [] }, stored)).toEqual({ objective: 'Refactor auth', constraints: { must_use: ['axum'], tone: 'careful' }, metadata: { team: 'core' } })
  })
  it('takes templates of any shape', () => {
    expect(valuesOfContent({ lines: 7, constraints: [], verification: { test_command: 3 }, exploration_hints: { start_here: 'a' } })).toMatchObject({ lines: [], test_command: '', start_here: 'a' })
  })
})

it('lines are moved, and stay at the ends', () => {
  const lines = ['a', 'b', 'c'].map((title) => newLine({ title }))
  const titles = (all: { title: string }[]) => all.map(({ title }) => title).join('')
  expect([moved(lines, 0, 1), moved(lines, 2, -1), moved(lines, 0, -1), moved(lines, 2, 1)].map(titles)).toEqual(['bac', 'acb', 'abc', 'abc'])
})
