import { expect, it } from 'vitest'
import { Seen } from './seen'

it('takes each event once, also when they come in another order', () => {
  const seen = new Seen()
  expect([5, 3, 5, 4, 3].map((seq) => seen.add(seq))).toEqual([true, true, false, true, false])
})

it('forgets the oldest ones only', () => {
  const seen = new Seen(10)
  for (let seq = 0; seq < 21; seq++) seen.add(seq)
  expect(seen.add(20)).toBe(false)
  expect(seen.add(11)).toBe(false)
  expect(seen.add(0)).toBe(true)
})
