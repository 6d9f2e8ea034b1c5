import type { Project } from '@/api/types'
import { describe, expect, it } from 'vitest'
import { changesOf, nameOfRepository, valuesOf } from './project-fields'

const project = { id: 'p', name: 'Shop', description: null, github_url: 'https://github.com/acme/shop', execution_mode: 'docker', project_path: null, agent_image: null, max_running: 2, weight: 1, paused: false, retry_agent_failures: 1, update_strategy: 'merge', submodules: false, created_at: '', updated_at: '' } as Project

describe('the form of a project', () => {
  it('sends what changed and nothing else', () => {
    const before = valuesOf(project)
    expect(changesOf(before, before)).toEqual({})
    expect(changesOf(before, { ...before, max_running: '3', submodules: true, name: ' Store ' })).toEqual({ max_running: 3, submodules: true, name: 'Store' })
  })
  it('takes an emptied limit as no limit', () => {
    const before = valuesOf(project)
    expect(changesOf(before, { ...before, max_running: '' })).toEqual({ max_running: null })
  })
  it('guesses a name from the address', () => {
    expect(nameOfRepository('https://github.com/acme/shop-api.git')).toBe('shop-api')
    expect(nameOfRepository('git@github.com:acme/shop/')).toBe('shop')
    expect(nameOfRepository('')).toBe('')
  })
})
