/** The form of a schedule: its values, and what of them changed; templates to begin with. Pure. */
import type { Schedule } from '@/api/contract'
import { type ContentValues, contentOf, valuesOfContent } from '@/parts/order-content'

export interface ScheduleValues {
  name: string; description: string; cron_expression: string; timezone: string; repo: string; agent: string
  enabled: boolean; missed: Schedule['missed']; overlap: Schedule['overlap']; content: ContentValues
}

export const SCHEDULE_FIELDS = ['name', 'description', 'cron_expression', 'timezone', 'repo_id', 'agent_id', 'work_order_template', 'objective', 'lines', 'missed', 'overlap'] as const

export function newValues(zone: string, template?: Template): ScheduleValues {
  return {
    name: template?.name ?? '', description: '', cron_expression: template?.expression ?? '0 9 * * 1-5', timezone: zone, repo: '', agent: '', enabled: true, missed: 'run', overlap: 'skip',
    content: valuesOfContent(template ? { objective: template.objective, lines: template.lines } : {}),
  }
}

export function valuesOf(schedule: Schedule): ScheduleValues {
  return {
    name: schedule.name, description: schedule.description ?? '', cron_expression: schedule.cron_expression, timezone: schedule.timezone, repo: schedule.repo_id ?? '', agent: schedule.agent_id ?? '',
    enabled: schedule.enabled, missed: schedule.missed, overlap: schedule.overlap, content: valuesOfContent(schedule.work_order_template),
  }
}

export function bodyOf(values: ScheduleValues, template: Record<string, unknown> = {}): Record<string, unknown> {
  const { name, description, cron_expression, timezone, repo, agent, enabled, missed, overlap, content } = values
  return {
    name: name.trim(), description: description.trim() || null, cron_expression: cron_expression.trim(), timezone: timezone.trim(), repo_id: repo || null, agent_id: agent || null,
    work_order_template: contentOf(content, template), enabled, missed, overlap,
  }
}

/** The fields that differ, as the API takes them. */
export function changesOf(schedule: Schedule, values: ScheduleValues): Record<string, unknown> {
  const template = schedule.work_order_template
  const before = bodyOf(valuesOf(schedule), template)
  return Object.fromEntries(Object.entries(bodyOf(values, template)).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name])))
}

export interface Template { id: string; name: string; about: string; expression: string; objective: string; lines: { title: string; definition_of_done: string }[] }

export const templates: readonly Template[] = [
  {
    id: 'dependencies', name: 'Update dependencies', about: 'On Mondays at 8: minor and patch versions, tested.', expression: '0 8 * * 1', objective: 'Update the dependencies of this repository to their newest minor and patch versions.',
    lines: [
      { title: 'Update the versions', definition_of_done: 'No minor or patch version is out of date, and the lock file fits.' },
      { title: 'Mend what the updates break', definition_of_done: 'All tests pass without one being removed or skipped.' },
    ],
  },
  {
    id: 'tests', name: 'Tests that fail now and then', about: 'Every night at 3: the whole suite ten times.', expression: '0 3 * * *', objective: 'Find tests that do not always pass, and mend what makes them fail.',
    lines: [
      { title: 'Run the whole suite ten times', definition_of_done: 'Each test that failed at least once is named in the summary.' },
      { title: 'Mend the causes', definition_of_done: 'The suite passes ten times in a row. No test waits longer or is repeated instead.' },
    ],
  },
  {
    id: 'documentation', name: 'Documentation that is out of date', about: 'On the first of each month at 6: what it says against what the code does.', expression: '0 6 1 * *', objective: 'Compare the documentation with the code and correct what is no longer true.',
    lines: [{ title: 'Try the commands that the documentation names', definition_of_done: 'Each one does what is said of it, or what is said was corrected.' }],
  },
]
