import { expect, it } from 'vitest'
import { ago, bytes, duration, plural, took } from './time'

it('says times as people do', () => {
  expect([0, 59_999, 60_000, 3_600_000, 86_400_000, 172_800_000].map(duration)).toEqual(['0 s', '59 s', '1 min', '1 h', '1 day', '2 days'])
  expect([12, 2_345, 12_000, 72_000, 3_900_000].map(took)).toEqual(['12 ms', '2.3 s', '12 s', '1 min 12 s', '1 h 5 min'])
  expect(ago(1_000, 3_000)).toBe('just now')
  expect(ago(0, 61_000)).toBe('1 min ago')
  // A clock that is ahead does not make the past a future.
  expect(ago(10_000, 0)).toBe('just now')
  expect([0, 1023, 1536, 12 * 1024 * 1024].map(bytes)).toEqual(['0 B', '1023 B', '1.5 KiB', '12.0 MiB'])
  expect([plural(1, 'file'), plural(2_000, 'file')]).toEqual(['1 file', '2,000 files'])
})
