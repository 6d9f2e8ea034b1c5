import type { Schedule } from '@/api/contract'
import { expect, it } from 'vitest'
import { bodyOf, changesOf, newValues, templates, valuesOf } from './values'

const schedule: Schedule = {
  id: 's', name: 'Nightly', description: null, cron_expression: '0 3 * * *', timezone: 'UTC', agent_id: null, repo_id: 'r', work_order_template: { objective: 'Do it', metadata: { team: 'core' } },
  enabled: true, missed: 'run', overlap: 'skip', last_run_at: null, next_run_at: null, next_runs: [], created_at: '', updated_at: '',
}

it('sends only what changed, and keeps what the form does not show', () => {
  const values = valuesOf(schedule)
  expect(changesOf(schedule, values)).toEqual({})
  expect(changesOf(schedule, { ...values, name: 'Weekly ', agent: 'a' })).toEqual({ name: 'Weekly', agent_id: 'a' })
  expect(changesOf(schedule, { ...values, content: { ...values.content, objective: 'More' } })).toEqual({ work_order_template: { objective: 'More', metadata: { team: 'core' } } })
  expect(changesOf(schedule, { ...values, repo: '' })).toEqual({ repo_id: null })
})

it('begins with a template', () => {
  for (const template of templates) {
    const body = bodyOf({ ...newValues('Europe/Berlin', template), repo: 'r' })
    expect(body).toMatchObject({ name: template.name, cron_expression: template.expression, timezone: 'Europe/Berlin', work_order_template: { objective: template.objective, lines: template.lines } })
  }
})
