/** The settings that this page knows: what they are called, and how they are grouped. Pure. */

/** Secrets are shown as whether they are set, the rest as text. */
export type SettingValues = Record<string, string | boolean | null>

export interface SettingField { name: string; label: string; hint?: string; type?: 'url' | 'number' | 'secret' | 'text' | 'switch'; low?: number; high?: number; placeholder?: string }
export interface SettingGroup { id: string; title: string; about: string; fields: SettingField[]; test?: 'agent_model' | 'director' | 'forge' }

export const groups: SettingGroup[] = [
  {
    id: 'model', title: 'Model of the agent', test: 'agent_model',
    about: 'The language model that does the work: any service with an OpenAI-compatible chat API. Claude Code needs one with Anthropic’s messages, Codex one with OpenAI’s responses, Gemini CLI one with Google’s generateContent.',
    fields: [
      { name: 'WORKER_LLM_URL', label: 'Address', type: 'url', placeholder: 'https://api.example.com/v1' },
      { name: 'WORKER_MODEL', label: 'Model', hint: 'Its name, as the service calls it.' },
      { name: 'WORKER_API_KEY', label: 'Key', type: 'secret' },
    ],
  },
  {
    id: 'director', title: 'Director', test: 'director',
    about: 'A second model that reviews the plan and each turn. Without one, the agent works alone.',
    fields: [
      { name: 'AGENT_LLM_URL', label: 'Address', type: 'url', placeholder: 'https://api.example.com/v1' },
      { name: 'AGENT_MODEL', label: 'Model' },
      { name: 'AGENT_API_KEY', label: 'Key', type: 'secret' },
    ],
  },
  {
    id: 'forge', title: 'Forge', test: 'forge',
    about: 'The account that clones, pushes and opens pull requests.',
    fields: [
      { name: 'github_agent_token', label: 'Token', type: 'secret', hint: 'It needs to read and write contents and pull requests of your repositories. Agents never see it.' },
      { name: 'GIT_USER_NAME', label: 'Name in commits' },
      { name: 'GIT_USER_EMAIL', label: 'Email in commits' },
    ],
  },
  {
    id: 'limits', title: 'Limits', about: 'For all hosts and projects. A host and a project can have lower ones of their own.',
    fields: [
      { name: 'MAX_CONCURRENT_AGENTS', label: 'Jobs at once on each host', type: 'number', low: 1, high: 10_000 },
      { name: 'WORKER_TIMEOUT_SEC', label: 'Longest turn, in seconds', type: 'number', low: 1, high: 604_800 },
    ],
  },
  {
    id: 'memory', title: 'Memory', about: 'Where texts are turned into vectors, so that agents find them by meaning.',
    fields: [
      { name: 'EMBEDDING_PROVIDER', label: 'Provider' },
      { name: 'EMBEDDING_SERVICE_URL', label: 'Address', type: 'url' },
      { name: 'EMBEDDING_API_KEY', label: 'Key', type: 'secret' },
    ],
  },
  {
    id: 'more', title: 'More', about: 'Rarely needed.',
    fields: [
      { name: 'TERARCHITECT_WORKER_API_KEY', label: 'Key of all hosts', type: 'secret', hint: 'One key for every host. A key for each host, made under Fleet, can be revoked alone.' },
      { name: 'WORKER_MODE', label: 'Agent', hint: 'Which coding agent works: opencode, claude, codex, gemini, cursor, or another of docs/agents.md. Empty: OpenCode.' },
      { name: 'MODEL_PRICES', label: 'Prices of models', hint: 'JSON, in dollars for a million tokens: {"model": {"input": 3, "output": 15}}' },
      { name: 'AGENT_PROVIDER', label: 'Provider of the Director' },
      { name: 'openai_api_key', label: 'OpenAI key', type: 'secret' },
      { name: 'anthropic_api_key', label: 'Anthropic key', type: 'secret' },
      { name: 'FRONTEND_LLM_URL', label: 'Front end’s model: address', type: 'url', hint: 'Stored for other front ends; nothing here uses it.' },
      { name: 'FRONTEND_LLM_MODEL', label: 'Front end’s model' },
      { name: 'FRONTEND_LLM_API_KEY', label: 'Front end’s model: key', type: 'secret' },
      { name: 'MIDDLE_AGENT_DEBUG', label: 'Log more of what the Director says', type: 'switch' },
    ],
  },
]

const shown = new Set(groups.flatMap((group) => group.fields.map((field) => field.name)))

/** Settings that the server has and no group names: they are shown under "More" by their own names. */
export function otherFields(values: SettingValues): SettingField[] {
  return Object.entries(values).filter(([name]) => !shown.has(name)).map(([name, value]) => ({ name, label: name, type: typeof value === 'boolean' ? 'secret' : 'text' }))
}

/** Fields of a group: `More` gets the ones that no group names. */
export function fieldsOf(group: SettingGroup, values: SettingValues): SettingField[] {
  return group.id === 'more' ? [...group.fields, ...otherFields(values)] : group.fields
}

/** What was typed and differs from what is stored. A secret that was typed always differs. */
export function changedSettings(stored: SettingValues, edits: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(edits).filter(([name, value]) => {
    const before = stored[name]
    // A blank is a field that was opened and not filled.
    if (typeof before === 'boolean') return value === '' ? before : value.trim() !== ''
    return value.trim() !== (before ?? '')
  }))
}

/** Why a test can't be made: a stored key is only sent to the stored address. */
export function testNeedsKey(group: SettingGroup, stored: SettingValues, changes: Record<string, string>): boolean {
  const url = group.fields.find((field) => field.type === 'url')?.name
  const key = group.fields.find((field) => field.type === 'secret')?.name
  if (!url || !key || !(url in changes)) return false
  return stored[key] === true && !(key in changes) && Boolean(stored[url])
}
