import { describe, expect, it } from 'vitest'
import { importSentence, readExport } from './export-file'

describe('a file to import', () => {
  it('is one that was exported', () => {
    expect(readExport('{"settings":{"A":"b"},"secrets":["K"],"projects":[]}')).toEqual({ content: { settings: { A: 'b' }, secrets: ['K'], projects: [] } })
  })
  it('is refused otherwise, with what to do', () => {
    for (const text of ['', 'no', '[]', 'null', '{"settings":[]}', '{"projects":[]}']) expect(readExport(text)).toHaveProperty('problem')
  })
  it('says what it did and what is missing', () => {
    expect(importSentence({ settings: 3, created_projects: 1, changed_projects: 0, missing_secrets: ['WORKER_API_KEY'] })).toBe('3 settings set, 1 project made. Not set here yet: WORKER_API_KEY. Set it in these settings.')
  })
})
