/** `/` and `/board`: the board that was open last, or the way to a first one. */
import { lastProject, projectsQuery } from '@/shell/projects'
import { isAdmin, useSession } from '@/shell/session'
import { buttonClass, EmptyState, ErrorNote, Screen, Skeleton } from '@/ui'
import { useQuery } from '@tanstack/react-query'
import { Link, Navigate } from '@tanstack/react-router'

export default function Home() {
  const session = useSession()
  const projects = useQuery(projectsQuery)
  if (projects.error) return <Screen title="Board"><ErrorNote error={projects.error} onRetry={() => void projects.refetch()} /></Screen>
  if (!projects.data) return <Skeleton className="p-5" label="Loading projects" />
  const project = projects.data.find((one) => one.id === lastProject()) ?? projects.data[0]
  if (project) return <Navigate to="/projects/$projectId/board" params={{ projectId: project.id }} replace />
  if (isAdmin(session)) return <Navigate to="/start" replace />
  return (
    <EmptyState icon="projects" title="There is no project that you may see." action={<Link to="/projects" className={buttonClass()}>Projects</Link>}>
      A project is one repository with its board. An admin can make one, or give you access to one.
    </EmptyState>
  )
}
