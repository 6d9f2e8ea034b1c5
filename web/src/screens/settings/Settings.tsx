import { api } from '@/api/client'
import { keys } from '@/api/keys'
import type { Readiness } from '@/api/types'
import { Credentials } from '@/parts/Credentials'
import { groups, type SettingValues } from '@/parts/settings'
import { SettingsGroup } from '@/parts/SettingsGroup'
import { Webhooks } from '@/parts/Webhooks'
import { isAdmin, useSession } from '@/shell/session'
import { EmptyState, ErrorNote, Icon, Screen, Skeleton, Tabs } from '@/ui'
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { Backup } from './Backup'
import { SignInOptions } from './SignInOptions'
import { Tokens } from './Tokens'

export default function Settings() {
  const { show } = useSearch({ from: '/shell/settings' })
  const admin = isAdmin(useSession())
  const navigate = useNavigate()
  const settings = useQuery({ queryKey: keys.settings, enabled: admin, queryFn: ({ signal }) => api.get<SettingValues>('/api/settings', { signal }) })
  const value = show ?? (admin ? 'model' : 'tokens')
  const open = (id: string) => void navigate({ to: '/settings', search: { show: id } })
  const group = (id: string) => {
    const one = groups.find((candidate) => candidate.id === id)
    if (!admin) return <EmptyState title="Only admins see these settings">Ask an admin to change something here. Your own tokens are under Tokens.</EmptyState>
    if (settings.error && !settings.data) return <ErrorNote error={settings.error} onRetry={() => void settings.refetch()} />
    if (!settings.data || !one) return <Skeleton label="Loading the settings" lines={6} />
    return <SettingsGroup group={one} stored={settings.data} />
  }
  return (
    <Screen title="Settings">
      {admin && <Missing />}
      <Tabs
        label="Settings" value={value} onChange={open}
        tabs={[
          ...(admin ? [
            { id: 'model', title: 'Model', content: group('model') },
            { id: 'director', title: 'Director', content: group('director') },
            { id: 'forge', title: 'Forge', content: <div className="flex flex-col gap-4">{group('forge')}<Credentials projectId={null} may /><Webhooks projectId={null} may /></div> },
            { id: 'limits', title: 'Limits', content: group('limits') },
            { id: 'memory', title: 'Memory', content: group('memory') },
          ] : []),
          { id: 'tokens', title: 'Tokens', content: <Tokens /> },
          ...(admin ? [
            { id: 'sign-in', title: 'Sign-in', content: <SignInOptions /> },
            { id: 'backup', title: 'Export and import', content: <Backup /> },
            { id: 'more', title: 'More', content: group('more') },
          ] : []),
        ]}
      />
    </Screen>
  )
}

/** What is missing before a ticket can be worked on, as the server says. */
function Missing() {
  const readiness = useQuery({ queryKey: keys.readiness, queryFn: ({ signal }) => api.get<Readiness>('/api/settings/check', { signal }) })
  const data = readiness.data
  if (!data || (data.ready && data.warnings.length === 0)) return null
  return (
    <div className="flex gap-3 rounded-lg bg-wait-soft p-4 text-sm">
      <Icon name="warning" className="mt-0.5 text-wait" />
      <ul className="flex min-w-0 flex-col gap-1">
        {data.missing_required.map((one) => <li key={one.key}><strong>{one.label} is missing.</strong> {one.reason} <Link to="/settings" search={{ show: 'model' }} className="underline">Set it</Link></li>)}
        {data.warnings.map((warning) => <li key={warning}>{warning}</li>)}
      </ul>
    </div>
  )
}
