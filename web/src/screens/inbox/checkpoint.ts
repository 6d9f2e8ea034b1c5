/** What a checkpoint is about and how long it waits, for people. Pure. */
import type { Checkpoint } from '@/api/contract'
import { bytes } from '@/lib/time'
import type { IconName, Tone } from '@/ui'

interface Look { word: string; icon: IconName; tone: Tone }

const stages: Record<NonNullable<Checkpoint['stage']>, Look> = {
  start: { word: 'May it start?', icon: 'play', tone: 'review' },
  plan: { word: 'Plan', icon: 'plan', tone: 'review' },
  diff: { word: 'Changes', icon: 'turn', tone: 'review' },
  output: { word: 'Result', icon: 'file', tone: 'review' },
  question: { word: 'Question', icon: 'help', tone: 'wait' },
  budget: { word: 'Budget used up', icon: 'waiting', tone: 'wait' },
}

/** The badge of a checkpoint; a stage that this page does not know is a decision like any other. */
export function lookOf(checkpoint: Pick<Checkpoint, 'stage'>): Look {
  const known = checkpoint.stage === null ? undefined : (stages[checkpoint.stage] as Look | undefined)
  return known ?? { word: 'Needs your decision', icon: 'waiting', tone: 'review' }
}

/** A part of what a checkpoint is about, as a text with a title. */
export interface Preview { title: string; about: string | null; text: string; file: boolean }

const TEXTS = new Set(['text', 'question', 'plan', 'summary', 'diff', 'patch', 'prompt'])
/** From this length on, a text gets a box of its own. */
const LONG = 80

/** What is left beside texts and files. */
export const MORE = 'More'

/** Files as files, text as text, and what else there is as JSON. */
export function previewsOf(data: unknown): Preview[] {
  if (data === null || data === undefined) return []
  if (typeof data !== 'object' || Array.isArray(data)) return [{ title: 'Data', about: null, text: asText(data), file: false }]
  const previews: Preview[] = []
  const rest: Record<string, unknown> = {}
  const files: Preview[] = []
  for (const [name, value] of Object.entries(data)) {
    if (name === 'files') files.push(...filesOf(value))
    else if (typeof value === 'string' && (TEXTS.has(name) || value.includes('\n') || value.length > LONG)) previews.push({ title: titleOf(name), about: null, text: value, file: false })
    else rest[name] = value
  }
  previews.push(...files)
  if (Object.keys(rest).length > 0) previews.push({ title: previews.length > 0 ? MORE : 'Data', about: null, text: asText(rest), file: false })
  return previews
}

/** A list of objects with a path and a content, or an object with a content for each path. */
function filesOf(value: unknown): Preview[] {
  if (Array.isArray(value)) return value.map((file) => fileOf(file))
  if (value !== null && typeof value === 'object') return Object.entries(value).map(([path, content]) => ({ title: path, about: null, text: asText(content), file: true }))
  return [{ title: 'Files', about: null, text: asText(value), file: false }]
}

function fileOf(file: unknown): Preview {
  if (typeof file === 'string') return { title: file, about: null, text: '', file: true }
  const { path, name, contentPreview, content, text, patch, size } = (file ?? {}) as Record<string, unknown>
  const title = [path, name].find((one) => typeof one === 'string') as string | undefined
  const preview = typeof contentPreview === 'string' && typeof content !== 'string'
  const body = [content, text, patch, contentPreview].find((one) => typeof one === 'string') as string | undefined
  const about = [typeof size === 'number' ? bytes(size) : null, preview ? 'its beginning' : null].filter(Boolean).join(', ')
  return { title: title ?? 'A file', about: about || null, text: body ?? asText(file), file: true }
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value, null, 2) ?? '')
}

function titleOf(name: string): string {
  const words = name.replace(/([a-z])([A-Z])/g, '$1 $2').replaceAll('_', ' ').toLowerCase()
  return words.charAt(0).toUpperCase() + words.slice(1)
}

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** How long it still waits. What became of it then, the server says. */
export function waitsFor(expiresAt: string, now: number): { text: string; soon: boolean } {
  const left = Date.parse(expiresAt) - now
  if (left <= 0) return { text: 'Its time is up.', soon: true }
  const minutes = Math.max(1, Math.round(left / MINUTE))
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60]
  const span = left < MINUTE ? `${Math.ceil(left / 1_000)} s` : hours === 0 ? `${minutes} min` : rest === 0 ? `${hours} h` : `${hours} h ${rest} min`
  return { text: `It expires in ${span}.`, soon: left < HOUR }
}
