import { api } from '@/api/client'
import { keys } from '@/api/keys'
import { groups, type SettingValues } from '@/parts/settings'
import { SettingsGroup } from '@/parts/SettingsGroup'
import { CopyBox, ErrorNote, Skeleton } from '@/ui'
import { useQuery } from '@tanstack/react-query'
import { Next } from './Next'

export function ModelStep({ done, onNext }: { done: boolean; onNext: () => void }) {
  const settings = useQuery({ queryKey: keys.settings, queryFn: ({ signal }) => api.get<SettingValues>('/api/settings', { signal }) })
  const model = groups.find((group) => group.id === 'model')
  if (settings.error && !settings.data) return <ErrorNote error={settings.error} onRetry={() => void settings.refetch()} />
  if (!settings.data || !model) return <Skeleton label="Loading the settings" />
  return (
    <div className="flex flex-col gap-4">
      <SettingsGroup group={model} stored={settings.data} level={3} />
      <details className="text-sm">
        <summary className="cursor-pointer text-accent">I have no model, and only want to look</summary>
        <div className="mt-2 flex flex-col gap-2">
          <p>A scripted model comes with the source code. It always makes the same change, whatever the ticket says, and costs nothing. This starts a server that uses it, with a host and a sample repository:</p>
          <CopyBox label="Command for the scripted model" text="scripts/quickstart" />
        </div>
      </details>
      {done && <Next onNext={onNext} />}
    </div>
  )
}
