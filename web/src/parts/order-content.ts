/** What a work order says, as a form has it and as the API takes it. What a form does not know of is kept. Pure. */

export interface LineValues {
  /** Tells lines of a form apart. */
  key: number
  title: string
  definition_of_done: string
  /** The line as it was stored. */
  stored: Record<string, unknown>
}

export interface ContentValues {
  objective: string
  lines: LineValues[]
  /** One entry a line, in each of these. */
  do_not_modify: string
  must_use: string
  start_here: string
  reference: string
  expected_files_changed: string
  test_command: string
  branch_name: string
}

/** Where the API has the fields that are more than a text. */
const LISTS = {
  do_not_modify: 'constraints', must_use: 'constraints', start_here: 'exploration_hints', reference: 'exploration_hints', expected_files_changed: 'verification',
} as const
type ListField = keyof typeof LISTS
const listFields = Object.keys(LISTS) as ListField[]

let nextKey = 1

export function newLine(stored: Record<string, unknown> = {}): LineValues {
  const text = (name: string) => (typeof stored[name] === 'string' ? (stored[name] as string) : '')
  return { key: nextKey++, title: text('title'), definition_of_done: text('definition_of_done'), stored }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)

export function valuesOfContent(content: Record<string, unknown> = {}): ContentValues {
  const text = (value: unknown) => (typeof value === 'string' ? value : '')
  const part = (name: string) => (isObject(content[name]) ? content[name] : {})
  const list = (field: ListField) => {
    const value = part(LISTS[field])[field]
    return Array.isArray(value) ? value.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))).join('\n') : text(value)
  }
  const lines = Array.isArray(content['lines']) ? (content['lines'] as unknown[]) : []
  return {
    objective: text(content['objective']),
    lines: lines.map((line) => newLine(isObject(line) ? line : { title: text(line) })),
    do_not_modify: list('do_not_modify'), must_use: list('must_use'), start_here: list('start_here'), reference: list('reference'),
    expected_files_changed: list('expected_files_changed'), test_command: text(part('verification')['test_command']), branch_name: text(content['branch_name']),
  }
}

/** The fields that say something, over what was stored before. */
export function contentOf(values: ContentValues, before: Record<string, unknown> = {}): Record<string, unknown> {
  const content: Record<string, unknown> = { ...before }
  const set = (into: Record<string, unknown>, name: string, value: unknown) => {
    if (value === '' || (Array.isArray(value) && value.length === 0) || (isObject(value) && Object.keys(value).length === 0)) delete into[name]
    else into[name] = value
  }
  set(content, 'objective', values.objective.trim())
  set(content, 'branch_name', values.branch_name.trim())
  set(content, 'lines', values.lines.filter((line) => line.title.trim() || line.definition_of_done.trim()).map(lineOf))
  for (const name of ['constraints', 'exploration_hints', 'verification'] as const) {
    const part: Record<string, unknown> = isObject(before[name]) ? { ...before[name] } : {}
    for (const field of listFields) if (LISTS[field] === name) set(part, field, entriesOf(values[field]))
    if (name === 'verification') set(part, 'test_command', values.test_command.trim())
    set(content, name, part)
  }
  return content
}

function lineOf({ title, definition_of_done: done, stored }: LineValues): Record<string, unknown> {
  const { definition_of_done: _, ...rest } = stored
  return { ...rest, title: title.trim(), ...(done.trim() ? { definition_of_done: done.trim() } : {}) }
}

function entriesOf(text: string): string[] {
  return text.split('\n').map((line) => line.trim()).filter(Boolean)
}

/** The lines with one of them moved up or down; at an end it stays. */
export function moved(lines: readonly LineValues[], at: number, by: 1 | -1): LineValues[] {
  const next = lines.slice()
  const [line, other] = [next[at], next[at + by]]
  if (line && other) {
    next[at] = other
    next[at + by] = line
  }
  return next
}

export const CONTENT_FIELDS = ['objective', 'lines', 'constraints', 'exploration_hints', 'verification', 'branch_name'] as const

/** Whether somebody used what is not shown at first. */
export function usesMore(values: ContentValues): boolean {
  return [...listFields, 'test_command' as const, 'branch_name' as const].some((field) => values[field].trim() !== '')
}
