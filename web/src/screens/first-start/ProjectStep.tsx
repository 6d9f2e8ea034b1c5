import { api } from '@/api/client'
import { keys } from '@/api/keys'
import type { Project } from '@/api/types'
import { NewProjectForm } from '@/parts/NewProject'
import { ProjectChecks } from '@/parts/ProjectChecks'
import { groups, type SettingValues } from '@/parts/settings'
import { SettingsGroup } from '@/parts/SettingsGroup'
import { Card, ErrorNote, Skeleton } from '@/ui'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Next } from './Next'

export function ProjectStep({ projects, onNext }: { projects: readonly Project[]; onNext: () => void }) {
  const queries = useQueryClient()
  const settings = useQuery({ queryKey: keys.settings, queryFn: ({ signal }) => api.get<SettingValues>('/api/settings', { signal }) })
  const forge = groups.find((group) => group.id === 'forge')
  const [made, setMade] = useState<Project | null>(null)
  const project = made ?? projects[0]
  if (settings.error && !settings.data) return <ErrorNote error={settings.error} onRetry={() => void settings.refetch()} />
  if (!settings.data || !forge) return <Skeleton label="Loading the settings" />
  return (
    <div className="flex flex-col gap-4">
      <SettingsGroup group={forge} stored={settings.data} level={3} onSaved={() => { if (project) void queries.invalidateQueries({ queryKey: keys.checks(project.id) }) }} />
      {project ? (
        <Card title={`Is ${project.name} set up?`} level={3}><ProjectChecks projectId={project.id} /></Card>
      ) : (
        <Card title="Project" level={3}><NewProjectForm onMade={setMade} /></Card>
      )}
      {project && <Next onNext={onNext} />}
    </div>
  )
}
