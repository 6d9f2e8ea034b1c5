import { api } from '@/api/client'
import type { Project, Ticket } from '@/api/types'
import { errorOfField, fieldAtFault } from '@/lib/field-error'
import { rememberProject } from '@/shell/projects'
import { Button, ErrorNote, Field, Input, Select, Textarea } from '@/ui'
import { useMutation } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { demo, type Step, stillMissing } from './steps'

const FIELDS = ['title', 'description'] as const

export function TicketStep({ projects, list }: { projects: readonly Project[]; list: readonly Step[] }) {
  const navigate = useNavigate()
  const [title, setTitle] = useState(demo.title)
  const [description, setDescription] = useState(demo.description)
  const [chosen, setChosen] = useState('')
  const project = projects.find((one) => one.id === chosen) ?? projects[0]
  const missing = stillMissing(list)
  const run = useMutation({
    mutationFn: (projectId: string) => api.post<Ticket>(`/api/projects/${projectId}/tickets`, { title: title.trim(), description, column_id: 'in_progress' }),
    onSuccess: (ticket) => {
      rememberProject(ticket.project_id)
      return navigate({ to: '/projects/$projectId/tickets/$ticketId', params: { projectId: ticket.project_id, ticketId: ticket.id } })
    },
  })
  const submit = (event: FormEvent) => { event.preventDefault(); if (project && !run.isPending) run.mutate(project.id) }
  if (!project) return <p className="text-sm">Make a project first, in step 3: a ticket is part of one.</p>
  return (
    <form onSubmit={submit} className="flex flex-col gap-3">
      {projects.length > 1 && <Field label="Project">{(control) => <Select {...control} value={project.id} onChange={(event) => setChosen(event.target.value)}>{projects.map((one) => <option key={one.id} value={one.id}>{one.name}</option>)}</Select>}</Field>}
      <Field label="Title" error={errorOfField(run.error, FIELDS, 'title')}>{(control) => <Input {...control} required value={title} onChange={(event) => setTitle(event.target.value)} />}</Field>
      <Field label="What to do" error={errorOfField(run.error, FIELDS, 'description')}>{(control) => <Textarea {...control} rows={5} value={description} onChange={(event) => setDescription(event.target.value)} />}</Field>
      {missing.length > 0 && <p className="rounded-md bg-wait-soft p-3 text-sm text-wait">There is no {missing.map((one) => one.replace(/^a /, '')).join(' and no ')} yet. The ticket waits until there is.</p>}
      {run.error && fieldAtFault(run.error, FIELDS) === null && <ErrorNote what="The ticket was not made." error={run.error} />}
      <div className="flex flex-wrap items-center gap-3"><Button type="submit" kind="primary" icon="play" sending={run.isPending}>Run it</Button><span className="text-sm text-muted">Then you watch it at work. It ends with a pull request that nobody merges but you.</span></div>
    </form>
  )
}
