import { describe, expect, it } from 'vitest'
import { lookOf, previewsOf, waitsFor } from './checkpoint'

describe('what a checkpoint is about', () => {
  it('shows files as files, text as text, and the rest as JSON', () => {
    expect(previewsOf({ files: [{ path: 'lib/auth.ts', contentPreview: 'export', size: 2048 }], text: 'A plan', totalFiles: 1 })).toEqual([
      { title: 'Text', about: null, text: 'A plan', file: false },
      { title: 'lib/auth.ts', about: '2.0 KiB, its beginning', text: 'export', file: true },
      { title: 'More', about: null, text: '{\n  "totalFiles": 1\n}', file: false },
    ])
    expect(previewsOf({ files: { 'a.txt': 'one', 'b.json': { two: 2 } } }).map(({ title, text }) => [title, text])).toEqual([['a.txt', 'one'], ['b.json', '{\n  "two": 2\n}']])
  })
  it('gives long texts a box, whatever they are called', () => {
    expect(previewsOf({ nextSteps: 'First\nSecond', count: 2 })[0]).toEqual({ title: 'Next steps', about: null, text: 'First\nSecond', file: false })
  })
  it.each([[null, 0], [{}, 0], [['a'], 1], ['text', 1], [{ files: [null, 'x', { size: 'no' }] }, 3]])('takes anything: %j', (data, count) => expect(previewsOf(data)).toHaveLength(count))
})

describe('a checkpoint', () => {
  it('says what it wants, also at a stage that is not known here', () => {
    expect(lookOf({ stage: 'question' }).word).toBe('Question')
    expect(lookOf({ stage: null }).word).toBe('Needs your decision')
    expect(lookOf({ stage: 'later' as 'plan' }).word).toBe('Needs your decision')
  })
  it.each([
    [86_400_000, 'It expires in 24 h.', false],
    [86_340_000, 'It expires in 23 h 59 min.', false],
    [300_000, 'It expires in 5 min.', true],
    [12_000, 'It expires in 12 s.', true],
    [-1, 'Its time is up.', true],
  ])('counts down: %s ms', (left, text, soon) => expect(waitsFor(new Date(1_000_000_000 + left).toISOString(), 1_000_000_000)).toEqual({ text, soon }))
})
