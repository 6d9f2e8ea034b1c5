import { projectsQuery } from '@/shell/projects'
import { Button, Input, Select } from '@/ui'
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import type { Filter } from './filter'
import { type StateFilter, stateFilters } from './model'

export function BoardBar({ projectId, filter, onNew }: { projectId: string; filter: Filter; onNew: (() => void) | null }) {
  const projects = useQuery(projectsQuery).data ?? []
  const navigate = useNavigate()
  const name = projects.find(({ id }) => id === projectId)?.name ?? 'Board'
  return (
    <div className="flex flex-wrap items-center gap-2 px-3 py-3 lg:px-5">
      <h1 className="sr-only">Board of {name}</h1>
      <Select
        aria-label="Project" value={projectId} className="w-auto max-w-44 font-semibold"
        onChange={(event) => void navigate({ to: '/projects/$projectId/board', params: { projectId: event.target.value } })}
      >
        {projects.length === 0 && <option value={projectId}>Board</option>}
        {projects.map(({ id, name: title }) => <option key={id} value={id}>{title}</option>)}
      </Select>
      <Input
        id="board-find" type="search" aria-label="Find tickets" placeholder="Find" value={filter.find} className="w-24 grow sm:max-w-64"
        onChange={(event) => filter.setFind(event.target.value)}
        onKeyDown={(event) => { if (event.key === 'Escape') { filter.setFind(''); event.currentTarget.blur() } }}
      />
      <Select aria-label="State" value={filter.state} className="w-auto" onChange={(event) => filter.setState(event.target.value as StateFilter)}>
        {stateFilters.map(({ id, title }) => <option key={id} value={id}>{title}</option>)}
      </Select>
      <span className="grow max-sm:hidden" />
      {onNew && <Button kind="primary" icon="plus" onClick={onNew} aria-keyshortcuts="c" className="max-sm:fixed max-sm:right-4 max-sm:bottom-20 max-sm:z-20 max-sm:h-12 max-sm:rounded-full max-sm:px-5 max-sm:shadow-high">New ticket</Button>}
    </div>
  )
}
