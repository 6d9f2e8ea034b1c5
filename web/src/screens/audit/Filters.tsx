import { api } from '@/api/client'
import type { AuditEntry, AuditFilters, Person } from '@/api/contract'
import { keys } from '@/api/keys'
import { projectsQuery } from '@/shell/projects'
import { Button, Field, Input, Select } from '@/ui'
import { useQuery } from '@tanstack/react-query'
import { actorsOf, isFiltered, kindName, kindsOf } from './rows'

export function Filters({ filters, entries, onChange }: { filters: AuditFilters; entries: AuditEntry[]; onChange: (filters: AuditFilters) => void }) {
  const projects = useQuery(projectsQuery).data ?? []
  const people = useQuery({ queryKey: keys.people, queryFn: ({ signal }) => api.get<Person[]>('/api/people', { signal }) }).data ?? []
  const set = (name: keyof AuditFilters, value: string) => {
    const { [name]: _, ...rest } = filters
    onChange(value ? { ...rest, [name]: value } : rest)
  }
  return (
    <form role="search" aria-label="Audit" onSubmit={(event) => event.preventDefault()} className="grid grid-cols-2 items-end gap-3 md:grid-cols-[1.2fr_1.2fr_1fr_1fr_1fr_auto]">
      <Field label="Who">{(control) => <Select {...control} value={filters.actor ?? ''} onChange={(event) => set('actor', event.target.value)}><option value="">everybody</option>{actorsOf(entries, people, filters.actor).map(([value, name]) => <option key={value} value={value}>{name}</option>)}</Select>}</Field>
      <Field label="What">{(control) => <Select {...control} value={filters.kind ?? ''} onChange={(event) => set('kind', event.target.value)}><option value="">everything</option>{kindsOf(entries, filters.kind).map((kind) => <option key={kind} value={kind}>{kindName(kind)}</option>)}</Select>}</Field>
      <Field label="Project">{(control) => <Select {...control} value={filters.project_id ?? ''} onChange={(event) => set('project_id', event.target.value)}><option value="">all</option>{projects.map((project) => <option key={project.id} value={project.id}>{project.name}</option>)}</Select>}</Field>
      <Field label="From">{(control) => <Input {...control} type="date" value={filters.from ?? ''} max={filters.until} onChange={(event) => set('from', event.target.value)} />}</Field>
      <Field label="Until">{(control) => <Input {...control} type="date" value={filters.until ?? ''} min={filters.from} onChange={(event) => set('until', event.target.value)} />}</Field>
      <div className="flex gap-2"><Button disabled={!isFiltered(filters)} onClick={() => onChange({})}>Clear</Button></div>
      {filters.ticket_id && <p className="col-span-full flex flex-wrap items-center gap-2 text-sm">Only one ticket: <span className="font-mono text-xs">{filters.ticket_id}</span> <Button size="small" onClick={() => set('ticket_id', '')}>All tickets</Button></p>}
    </form>
  )
}
