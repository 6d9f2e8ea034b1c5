import type { Project } from '@/api/types'
import { NewProjectForm } from '@/parts/NewProject'
import { projectsQuery } from '@/shell/projects'
import { isAdmin, useSession } from '@/shell/session'
import { Badge, Button, buttonClass, Dialog, EmptyState, ErrorNote, Icon, Screen, Skeleton } from '@/ui'
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'

export default function Projects() {
  const projects = useQuery(projectsQuery)
  const admin = isAdmin(useSession())
  const navigate = useNavigate()
  const [making, setMaking] = useState(false)
  const button = <Button kind="primary" icon="plus" disabled={!admin} title={admin ? undefined : 'Only admins make projects.'} onClick={() => setMaking(true)}>New project</Button>
  return (
    <Screen title="Projects" actions={projects.data && projects.data.length > 0 && button}>
      {projects.error && <ErrorNote error={projects.error} what={projects.data ? 'What you see may be old.' : undefined} onRetry={() => void projects.refetch()} />}
      {projects.isPending && <Skeleton label="Loading projects" lines={6} />}
      {projects.data?.length === 0 && (
        <EmptyState icon="projects" title={admin ? 'Make the first project' : 'There is no project that you may see'} action={admin && <>{button}<Link to="/start" className={buttonClass()}>Show me step by step</Link></>}>
          A project is one repository with its board.{!admin && ' Ask an admin to make one, or to give you a role in one.'}
        </EmptyState>
      )}
      {projects.data && projects.data.length > 0 && (
        <ul aria-label="Projects" className="grid gap-3 md:grid-cols-2">{projects.data.map((project) => <Item key={project.id} project={project} />)}</ul>
      )}
      <Dialog open={making} onClose={() => setMaking(false)} title="New project" about="Its limits and the rest can be set afterwards.">
        {making && <NewProjectForm onMade={(project) => void navigate({ to: '/projects/$projectId', params: { projectId: project.id }, search: { show: 'checks' } })} />}
      </Dialog>
    </Screen>
  )
}

function Item({ project }: { project: Project }) {
  const facts = [
    project.max_running == null ? 'no limit' : `at most ${project.max_running} at once`,
    project.update_strategy === 'rebase' ? 'rebases' : null,
    project.execution_mode === 'local' ? 'runs without containers' : null,
  ].filter(Boolean)
  return (
    <li className="flex flex-col gap-3 rounded-lg border bg-surface p-4 shadow-card">
      <div className="flex min-w-0 grow flex-col gap-1">
        <h2 className="flex flex-wrap items-center gap-2 text-base">
          <Link to="/projects/$projectId/board" params={{ projectId: project.id }} className="text-ink no-underline hover:underline">{project.name}</Link>
          {project.paused && <Badge tone="wait" icon="waiting">Paused</Badge>}
        </h2>
        {project.description && <p className="line-clamp-2 text-sm">{project.description}</p>}
        <p className="text-xs text-muted">{project.github_url ? <span className="font-mono">{project.github_url.replace(/^https?:\/\//, '')}</span> : project.project_path ?? 'No repository yet'}</p>
        <p className="text-xs text-muted">{facts.join(', ')}</p>
      </div>
      <div className="flex flex-wrap gap-2">
        <Link to="/projects/$projectId/board" params={{ projectId: project.id }} className={buttonClass('plain', 'small')}><Icon name="board" className="size-3.5" />Board<span className="sr-only"> of {project.name}</span></Link>
        <Link to="/projects/$projectId" params={{ projectId: project.id }} className={buttonClass('plain', 'small')}><Icon name="settings" className="size-3.5" />Set up<span className="sr-only"> {project.name}</span></Link>
        <Link to="/projects/$projectId" params={{ projectId: project.id }} search={{ show: 'graph' }} className={buttonClass('plain', 'small')}><Icon name="pr" className="size-3.5" />Graph<span className="sr-only"> of {project.name}</span></Link>
      </div>
    </li>
  )
}
