import { api } from '@/api/client'
import type { Summary } from '@/api/contract'
import { keys } from '@/api/keys'
import { plural } from '@/lib/time'
import { Icon } from '@/ui'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'

export function useSummary(): Summary | undefined {
  return useQuery({ queryKey: keys.summary, queryFn: ({ signal }) => api.get<Summary>('/api/summary', { signal }) }).data
}

/** The top line: what the whole installation does now, as far as this person may see it. */
export function SummaryLine() {
  const summary = useSummary()
  if (!summary) return <span className="text-xs text-muted">&nbsp;</span>
  const parts: string[] = []
  const hosts = summary.hosts === 0 ? 'no host is connected' : plural(summary.hosts, 'host')
  if (summary.running > 0) parts.push(`${summary.running} running on ${hosts}`)
  else parts.push('nothing runs', hosts)
  if (summary.waiting > 0) parts.push(`${summary.waiting} ${summary.waiting === 1 ? 'waits' : 'wait'}`)
  return (
    <p className="flex min-w-0 items-center gap-2 truncate text-xs text-muted tabular">
      {summary.stopped && (
        <Link to="/fleet" className="inline-flex items-center gap-1 rounded bg-bad-soft px-1.5 py-0.5 font-semibold text-bad no-underline"><Icon name="stopping" className="size-3.5" />Everything is stopped</Link>
      )}
      {summary.need_person > 0 && (
        <Link to="/inbox" className="font-semibold text-ink">{summary.need_person} {summary.need_person === 1 ? 'needs' : 'need'} you</Link>
      )}
      <span className="truncate first-letter:uppercase">{parts.join(', ')}</span>
    </p>
  )
}
