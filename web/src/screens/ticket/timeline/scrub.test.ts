import { expect, it } from 'vitest'
import type { Entry } from '@/api/contract'
import { countAt, filmOf } from './scrub'

const at = (seconds: number) => ({ created_at: new Date(seconds * 1_000).toISOString() }) as Entry

it('cuts silences and keeps the rest', () => {
  const film = filmOf([at(0), at(2), at(602), at(603)])
  expect(film).toEqual({ at: [0, 2_000, 5_000, 6_000], length: 6_000, realMs: 603_000, cutMs: 597_000 })
  expect([0, 1_999, 2_000, 5_500, 6_000].map((moment) => countAt(film, moment))).toEqual([1, 1, 2, 3, 4])
})

it('an empty run is no film', () => {
  expect(filmOf([])).toEqual({ at: [], length: 0, realMs: 0, cutMs: 0 })
})
