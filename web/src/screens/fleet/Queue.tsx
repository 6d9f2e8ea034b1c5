import { api } from '@/api/client'
import type { Fleet, QueueOfProject } from '@/api/contract'
import { keys } from '@/api/keys'
import { duration } from '@/lib/time'
import { mayChange, useSession } from '@/shell/session'
import { Button, Table, toast } from '@/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { whyNothingMoves } from './reasons'

export function Queue({ fleet }: { fleet: Fleet }) {
  if (fleet.queue.length === 0) return <p className="text-sm text-muted">Nothing runs and nothing waits. Move a ticket to In Progress, and its job stands here.</p>
  return (
    <Table
      caption="Queue by project" rows={fleet.queue} id={(row) => row.project_id}
      columns={[
        { title: 'Project', cell: (row) => <Link to="/projects/$projectId/board" params={{ projectId: row.project_id }}>{row.project_name}</Link> },
        { title: 'Run', right: true, cell: (row) => (row.limit == null ? row.running : `${row.running} of ${row.limit}`) },
        { title: 'Wait', right: true, cell: (row) => row.due },
        { title: 'For later', right: true, cell: (row) => row.delayed },
        { title: 'Longest wait', right: true, cell: (row) => (row.oldest_due_ms == null ? '' : duration(row.oldest_due_ms)) },
        { title: 'Why nothing moves', className: 'min-w-56', cell: (row) => <Why row={row} fleet={fleet} /> },
      ]}
    />
  )
}

function Why({ row, fleet }: { row: QueueOfProject; fleet: Fleet }) {
  const session = useSession()
  const queries = useQueryClient()
  const unpause = useMutation({
    mutationFn: () => api.put(`/api/projects/${row.project_id}`, { paused: false }),
    onSuccess: () => queries.invalidateQueries({ queryKey: keys.fleet }),
    onError: (error) => toast.failed(`${row.project_name} is still paused.`, error),
  })
  const reason = whyNothingMoves(row, fleet)
  if (!reason) return <span className="text-muted">{row.due + row.delayed > 0 ? 'It moves.' : 'Nothing waits.'}</span>
  return (
    <span className="flex flex-wrap items-center gap-2">
      {reason.sentence}
      {reason.fix === 'unpause' && mayChange(session, row.project_id) && <Button size="small" icon="play" sending={unpause.isPending} onClick={() => unpause.mutate()}>End the pause<span className="sr-only"> of {row.project_name}</span></Button>}
      {reason.fix === 'limit' && mayChange(session, row.project_id) && <Link to="/projects/$projectId" params={{ projectId: row.project_id }}>Change the limit<span className="sr-only"> of {row.project_name}</span></Link>}
    </span>
  )
}
