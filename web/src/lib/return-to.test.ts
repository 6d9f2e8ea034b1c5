import { describe, expect, it } from 'vitest'
import { safeReturn } from './return-to'

const origin = 'https://here.example'

describe('where a sign-in returns to', () => {
  it('is where one was', () => {
    expect(safeReturn('/projects/1/board?find=x#a', origin)).toBe('/projects/1/board?find=x#a')
    expect(safeReturn('/device?code=BCDF-GHJK', origin)).toBe('/device?code=BCDF-GHJK')
  })
  it('is never outside, and never the sign-in', () => {
    for (const address of [undefined, '', 'https://evil.example/', '//evil.example/x', '/\\evil.example', '/\t/evil.example', 'javascript:alert(1)', '/sign-in?return_to=/', '/link']) {
      expect(safeReturn(address, origin)).toBe('/')
    }
  })
})
