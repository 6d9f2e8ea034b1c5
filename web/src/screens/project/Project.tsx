import { api } from '@/api/client'
import { keys } from '@/api/keys'
import type { Project as ProjectOf } from '@/api/types'
import { Budget } from '@/parts/Budget'
import { ProjectChecks } from '@/parts/ProjectChecks'
import { Proof } from '@/parts/Proof'
import { isAdmin, mayChange, useSession } from '@/shell/session'
import { Badge, Button, buttonClass, ErrorNote, Icon, Screen, Skeleton, Tabs, toast } from '@/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { ForgeTab } from './ForgeTab'
import { Graph } from './graph/Graph'
import { Memory } from './Memory'
import { Notes } from './Notes'
import { ProjectForm } from './ProjectForm'
import { Secrets } from './Secrets'

export default function Project() {
  const { projectId } = useParams({ from: '/shell/projects/$projectId' })
  const { show = 'settings' } = useSearch({ from: '/shell/projects/$projectId' })
  const navigate = useNavigate()
  const project = useQuery({ queryKey: keys.project(projectId), queryFn: ({ signal }) => api.get<ProjectOf>(`/api/projects/${projectId}`, { signal }) })
  const session = useSession()
  const may = mayChange(session, projectId)
  const admin = isAdmin(session)
  const data = project.data
  if (!data) {
    return (
      <Screen title="Project">
        {project.error ? <ErrorNote error={project.error} onRetry={() => void project.refetch()} /> : <Skeleton label="Loading the project" lines={8} />}
      </Screen>
    )
  }
  const open = (id: string) => void navigate({ to: '/projects/$projectId', params: { projectId }, search: id === 'settings' ? {} : { show: id } })
  return (
    <Screen
      title={data.name}
      actions={<>{data.paused && <Badge tone="wait" icon="waiting">Paused</Badge>}<Pause project={data} may={may} /><Link to="/projects/$projectId/board" params={{ projectId }} className={buttonClass()}><Icon name="board" />Board</Link></>}
    >
      {project.error && <ErrorNote error={project.error} what="What you see may be old." onRetry={() => void project.refetch()} />}
      {!may && <p className="text-sm text-muted">You may look at everything here, but not change it: your role is viewer.</p>}
      <Tabs
        label={data.name} value={show} onChange={open}
        tabs={[
          { id: 'settings', title: 'Settings', content: <ProjectForm key={data.id} project={data} may={may} /> },
          { id: 'verification', title: 'Verification', content: <Proof path={`/api/projects/${projectId}/proof`} proposals={`/api/projects/${projectId}/proof/proposed`} may={admin} about={admin ? 'Every ticket of this project has to show this before its pull request is opened.' : 'Every ticket of this project has to show this before its pull request is opened. Admins set it.'} /> },
          { id: 'secrets', title: 'Secrets', content: <Secrets projectId={projectId} may={admin} /> },
          { id: 'budget', title: 'Budget', content: <Budget path={`/api/projects/${projectId}/budget`} levels={['attempt', 'ticket', 'project', 'day']} may={admin} about={admin ? 'How much the models of this project may use.' : 'How much the models of this project may use. Admins set it.'} /> },
          { id: 'forge', title: 'Forge', content: <ForgeTab project={data} may={may} /> },
          { id: 'checks', title: 'Set-up check', content: may ? <ProjectChecks projectId={projectId} /> : <p className="text-sm text-muted">Members and admins can check the set-up.</p> },
          { id: 'notes', title: 'Notes', content: <Notes projectId={projectId} may={may} /> },
          { id: 'memory', title: 'Memory', content: <Memory projectId={projectId} may={may} /> },
          { id: 'graph', title: 'Graph', content: <Graph projectId={projectId} may={may} /> },
        ]}
      />
    </Screen>
  )
}

function Pause({ project, may }: { project: ProjectOf; may: boolean }) {
  const queries = useQueryClient()
  const pause = useMutation({
    mutationFn: (paused: boolean) => api.put<ProjectOf>(`/api/projects/${project.id}`, { paused }),
    onSuccess: (next) => {
      queries.setQueryData(keys.project(project.id), next)
      void queries.invalidateQueries({ queryKey: keys.projects })
      toast.done(next.paused ? 'The project is paused: what runs goes on, nothing new begins.' : 'Jobs of this project begin again.')
    },
    onError: (error) => toast.failed('Nothing was changed.', error),
  })
  if (!may) return null
  return project.paused
    ? <Button icon="play" sending={pause.isPending} onClick={() => pause.mutate(false)}>End the pause</Button>
    : <Button icon="waiting" sending={pause.isPending} title="What runs goes on; nothing new begins." onClick={() => pause.mutate(true)}>Pause</Button>
}
