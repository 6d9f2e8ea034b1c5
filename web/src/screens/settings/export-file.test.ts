import { describe, expect, it } from 'vitest'
import { readExport } from './export-file'

describe('a file to import', () => {
  it('is one that was exported', () => {
    expect(readExport('{"settings":{"A":"b"},"secrets":["K"],"projects":[]}')).toEqual({ content: { settings: { A: 'b' }, secrets: ['K'], projects: [] } })
  })
  it('is refused otherwise, with what to do', () => {
    for (const text of ['', 'no', '[]', 'null', '{"settings":[]}', '{"projects":[]}']) expect(readExport(text)).toHaveProperty('problem')
  })
})
