import { describe, expect, it } from 'vitest'
import { judged } from './acceptance'

describe('acceptance lines', () => {
  it('have what was said about them, and where that shows', () => {
    const said = [{ line: 'It greets.', met: true, place: 'greet.sh' }, { line: 'It sings.', met: false, place: '' }, { line: 'From the repository.', met: null }]
    expect(judged(['It is new.', 'It sings.', 'It greets.'], said)).toEqual([
      { line: 'It is new.', said: null, place: '' },
      { line: 'It sings.', said: 'fails', place: '' },
      { line: 'It greets.', said: 'holds', place: 'greet.sh' },
      { line: 'From the repository.', said: 'open', place: '' },
    ])
  })
  it('are only those that are asked for before anything was said', () => {
    expect(judged(['A', 'A'], [])).toEqual([{ line: 'A', said: null, place: '' }])
  })
})
