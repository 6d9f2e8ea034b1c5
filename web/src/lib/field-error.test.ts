import { ApiError } from '@/api/errors'
import { describe, expect, it } from 'vitest'
import { errorOfField, fieldAtFault } from './field-error'

const refused = (sentence: string, status = 400) => new ApiError(sentence, 'invalid_field', status)

describe('the field at fault', () => {
  it('is the one that the sentence names', () => {
    expect(fieldAtFault(refused("'max_running' must be at least 1; to stop all claims, set 'paused' to true."), ['paused', 'max_running'])).toBe('max_running')
    expect(fieldAtFault(refused("The setting 'WORKER_LLM_URL' must be an address."), ['WORKER_LLM_URL'])).toBe('WORKER_LLM_URL')
  })
  it('is none when the sentence names another or the server failed', () => {
    expect(fieldAtFault(refused("'weight' must be from 1 to 1000."), ['name'])).toBeNull()
    expect(fieldAtFault(refused("'name' is fine", 500), ['name'])).toBeNull()
    expect(fieldAtFault(new Error("'name'"), ['name'])).toBeNull()
  })
  it('gets the sentence without its own name', () => {
    expect(errorOfField(refused("'name' must not be empty."), ['name'], 'name')).toBe('This must not be empty.')
    expect(errorOfField(refused("The setting 'A_URL' must be an address."), ['A_URL'], 'A_URL')).toBe('This must be an address.')
    expect(errorOfField(refused("'name' must not be empty."), ['name', 'email'], 'email')).toBeNull()
  })
})
