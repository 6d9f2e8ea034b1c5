import type { DiffInfo } from '@/api/contract'
import { keys } from '@/api/keys'
import { bytes, plural } from '@/lib/time'
import { EmptyState, ErrorNote, Select, Skeleton, TimeAgo } from '@/ui'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { DiffView } from './DiffView'
import { loadDiff } from './load'

interface Props { projectId: string; ticketId: string; diffs: DiffInfo[] }

/** The newest first; the whole branch before its turns. */
function order(diffs: DiffInfo[]): DiffInfo[] {
  return diffs.toSorted((a, b) => (b.attempt ?? 0) - (a.attempt ?? 0) || (b.turn ?? Infinity) - (a.turn ?? Infinity) || b.created_at.localeCompare(a.created_at))
}

function nameOf(diff: DiffInfo): string {
  return `${diff.turn === null ? 'Everything' : `Turn ${diff.turn}`}${diff.attempt === null ? '' : `, attempt ${diff.attempt}`}: ${plural(diff.files, 'file')}, +${diff.added} −${diff.removed}`
}

export default function DiffTab({ projectId, ticketId, diffs }: Props) {
  const [chosen, setChosen] = useState<string | null>(null)
  const list = order(diffs)
  const diff = list.find(({ id }) => id === chosen) ?? list.find(({ turn }) => turn === null) ?? list[0]
  if (!diff) return <EmptyState icon="file" title="No changes yet">What the agent commits is shown here after each turn, and stays when the branch is gone.</EmptyState>
  return (
    <div className="flex min-h-0 grow flex-col gap-2">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <Select aria-label="Which changes" value={diff.id} className="w-auto max-w-full" onChange={(event) => setChosen(event.target.value)}>
          {list.map((one) => <option key={one.id} value={one.id}>{nameOf(one)}</option>)}
        </Select>
        <span className="text-xs text-muted">{diff.base && diff.commit && <><code>{diff.base.slice(0, 8)}…{diff.commit.slice(0, 8)}</code>, </>}<TimeAgo at={diff.created_at} /></span>
      </div>
      {diff.truncated && <p className="rounded-md bg-wait-soft px-3 py-2 text-sm text-wait">This is only the beginning: the whole is larger than what is stored ({bytes(diff.bytes)}). The branch has the rest.</p>}
      <Loaded key={`${diff.id} ${diff.commit}`} path={`/api/projects/${projectId}/tickets/${ticketId}/diffs/${diff.id}`} ticketId={ticketId} id={`${diff.id} ${diff.commit}`} />
    </div>
  )
}

function Loaded({ path, ticketId, id }: { path: string; ticketId: string; id: string }) {
  const diff = useQuery({
    queryKey: keys.diff(ticketId, id), queryFn: ({ signal }) => loadDiff(path, signal),
    // A commit's diff never changes, is large, and is not compared with what was there before.
    gcTime: 60_000, structuralSharing: false,
  })
  if (diff.error) return <ErrorNote what="The changes could not be loaded." error={diff.error} onRetry={() => void diff.refetch()} />
  if (!diff.data) return <Skeleton lines={8} label="Loading the changes" />
  if (diff.data.files.length === 0) return <EmptyState icon="file" title="Nothing was changed" />
  return <DiffView diff={diff.data} />
}
