/** Whether a project is set up: what was checked, what is wrong, and what to do. */
import { api } from '@/api/client'
import type { ProjectCheck } from '@/api/contract'
import { keys } from '@/api/keys'
import { cx } from '@/lib/cx'
import { clockTime } from '@/lib/time'
import { Button, ErrorNote, Icon, type IconName, Linked, Skeleton } from '@/ui'
import { useQuery } from '@tanstack/react-query'

const titles: Record<ProjectCheck['check'], string> = { repository: 'Repository', token: 'Forge token', push: 'Push', pull_request: 'Pull requests', model: 'Model', coordinator: 'Hosts' }
const looks: Record<'true' | 'false' | 'null', { icon: IconName; tone: string; word: string }> = {
  true: { icon: 'done', tone: 'text-good', word: 'Right' },
  false: { icon: 'failed', tone: 'text-bad', word: 'Wrong' },
  null: { icon: 'info', tone: 'text-muted', word: 'Not checked' },
}

export function useProjectChecks(projectId: string, enabled = true) {
  return useQuery({
    queryKey: keys.checks(projectId), enabled, retry: false,
    queryFn: ({ signal }) => api.post<{ checks: ProjectCheck[] }>(`/api/projects/${projectId}/check`, {}, { signal }),
  })
}

export function ProjectChecks({ projectId }: { projectId: string }) {
  const checks = useProjectChecks(projectId)
  const list = checks.data?.checks
  const wrong = list?.filter((one) => one.ok === false).length ?? 0
  return (
    <div className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center gap-3">
        <p role="status" className="grow text-sm">
          {list ? (wrong === 0 ? 'Nothing is wrong.' : wrong === 1 ? 'One thing is wrong.' : `${wrong} things are wrong.`) : checks.isFetching ? 'Asking the forge, the model and the hosts.' : ''}
          {list && <span className="text-muted"> Checked at {clockTime(new Date(checks.dataUpdatedAt).toISOString())}.</span>}
        </p>
        <Button icon="retry" sending={checks.isFetching} onClick={() => void checks.refetch()}>{checks.isFetching ? 'Checking' : 'Check again'}</Button>
      </div>
      {checks.error && <ErrorNote error={checks.error} onRetry={() => void checks.refetch()} />}
      {!list && !checks.error && <Skeleton label="Checking" lines={6} />}
      {list && (
        <ul className="flex flex-col divide-y rounded-lg border bg-surface">
          {list.map((one) => {
            const look = looks[String(one.ok) as 'true' | 'false' | 'null']
            return (
              <li key={one.check} className="flex gap-3 px-4 py-3 text-sm">
                <Icon name={look.icon} className={cx('mt-0.5', look.tone)} />
                <div className="min-w-0">
                  <p><strong className="font-semibold">{titles[one.check] ?? one.check}</strong><span className="sr-only"> ({look.word})</span>: <Linked text={one.sentence} /></p>
                  {one.fix && <p className="mt-1 text-muted"><strong className="text-ink">What to do:</strong> <Linked text={one.fix} /></p>}
                </div>
              </li>
            )
          })}
        </ul>
      )}
    </div>
  )
}
