import { describe, expect, it } from 'vitest'
import { changedSettings, fieldsOf, groups, otherFields, testNeedsKey } from './settings'

describe('settings', () => {
  it('sends only what changed', () => {
    const stored = { WORKER_MODEL: 'a', WORKER_API_KEY: true, AGENT_API_KEY: false, AGENT_MODEL: null }
    expect(changedSettings(stored, { WORKER_MODEL: 'a', AGENT_MODEL: '' })).toEqual({})
    expect(changedSettings(stored, { WORKER_MODEL: '', WORKER_API_KEY: '' })).toEqual({ WORKER_MODEL: '', WORKER_API_KEY: '' })
    expect(changedSettings(stored, { AGENT_API_KEY: '' })).toEqual({})
    expect(changedSettings(stored, { AGENT_API_KEY: 'k' })).toEqual({ AGENT_API_KEY: 'k' })
  })
  it('shows settings that it does not know', () => {
    const values = { MEMORY_SAVE_DIR: '/x', MEMORY_API_KEY: true, WORKER_MODEL: 'm' }
    expect(otherFields(values).map((field) => [field.name, field.type])).toEqual([['MEMORY_SAVE_DIR', 'text'], ['MEMORY_API_KEY', 'secret']])
    const more = groups.find((group) => group.id === 'more')
    expect(more && fieldsOf(more, values).some((field) => field.name === 'MEMORY_SAVE_DIR')).toBe(true)
  })
  it('asks for the key when the address changes', () => {
    const model = groups[0]
    if (!model) throw new Error('no group')
    const stored = { WORKER_LLM_URL: 'https://a/v1', WORKER_API_KEY: true }
    expect(testNeedsKey(model, stored, { WORKER_LLM_URL: 'https://b/v1' })).toBe(true)
    expect(testNeedsKey(model, stored, { WORKER_LLM_URL: 'https://b/v1', WORKER_API_KEY: 'k' })).toBe(false)
    expect(testNeedsKey(model, stored, { WORKER_MODEL: 'x' })).toBe(false)
    expect(testNeedsKey(model, { WORKER_API_KEY: false }, { WORKER_LLM_URL: 'https://b/v1' })).toBe(false)
  })
})
