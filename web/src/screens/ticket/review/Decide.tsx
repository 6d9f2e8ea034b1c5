/** Approve and merge, with the reason where one of them is not possible. */
import { api } from '@/api/client'
import type { PullReview, ReviewDone } from '@/api/contract'
import { ApiError } from '@/api/errors'
import { keys } from '@/api/keys'
import { Button, Confirm, ErrorNote, Icon, Select, toast } from '@/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'

const METHODS = { merge: 'with a merge commit', squash: 'as one commit', rebase: 'rebased on the base' } as const
type Method = keyof typeof METHODS

interface Props { projectId: string; path: string; ticketId: string; review: PullReview }

export function Decide({ projectId, path, ticketId, review }: Props) {
  const queries = useQueryClient()
  const [method, setMethod] = useState<Method>('merge')
  // What was seen is what is approved and merged, also where somebody pushes meanwhile: the head at the press of the button.
  const [confirming, setConfirming] = useState<string | null>(null)
  const renewed = (done: ReviewDone) => {
    if (done.review) queries.setQueryData(keys.review(ticketId), done.review)
    else void queries.invalidateQueries({ queryKey: keys.review(ticketId) })
  }
  const stale = () => void queries.invalidateQueries({ queryKey: keys.review(ticketId) })
  const approve = useMutation({
    mutationFn: (seen: string) => api.post<ReviewDone>(`${path}/approve`, { head_sha: seen }),
    onSuccess: (done) => { renewed(done); toast.done('The pull request is approved.') },
    onError: stale,
  })
  const merge = useMutation({
    mutationFn: (seen: string) => api.post<ReviewDone>(`${path}/merge`, { merge_method: method, head_sha: seen }),
    onSuccess: (done) => { renewed(done); setConfirming(null); toast.done('The pull request is merged.') },
    onError: stale,
  })
  const moved = merge.error instanceof ApiError && merge.error.code === 'head_moved'
  const { can_approve: canApprove, can_merge: canMerge } = review
  return (
    <section aria-label="Decide" className="flex flex-col gap-2 rounded-lg border bg-surface p-4 shadow-card">
      <div className="flex flex-wrap items-center gap-2">
        <Button icon="check" disabled={!canApprove.possible} sending={approve.isPending} onClick={() => approve.mutate(review.head.sha)}>Approve</Button>
        <span className="mx-1 hidden h-6 border-l sm:block" aria-hidden="true" />
        <Button kind="primary" icon="pr" disabled={!canMerge.possible} onClick={() => { merge.reset(); setConfirming(review.head.sha) }}>Merge</Button>
        <Select aria-label="How it is merged" className="w-auto" value={method} disabled={!canMerge.possible} onChange={(event) => setMethod(event.target.value as Method)}>
          {Object.entries(METHODS).map(([id, about]) => <option key={id} value={id}>{about}</option>)}
        </Select>
      </div>
      <Reason what="Approving" possible={canApprove.possible} reason={canApprove.reason}>
        {!canApprove.possible && <Link to="/projects/$projectId" params={{ projectId }} search={{ show: 'forge' }} className="underline">Add it</Link>}
      </Reason>
      <Reason what="Merging" possible={canMerge.possible} reason={canMerge.reason} />
      {approve.error && <ErrorNote what="It was not approved." error={approve.error} />}
      {confirming !== null && (
        <Confirm
          open onClose={() => setConfirming(null)} title={`Merge pull request #${review.pr_number}?`} action="Merge the pull request"
          sending={merge.isPending} error={merge.error} disabled={moved} onConfirm={() => merge.mutate(confirming)}
        >
          <p><code className="break-all">{review.head.branch}</code> at <code>{confirming.slice(0, 8)}</code> goes into <code className="break-all">{review.base.branch}</code>, {METHODS[method]}. The ticket moves to Done.</p>
        </Confirm>
      )}
    </section>
  )
}

function Reason({ what, possible, reason, children }: { what: string; possible: boolean; reason: string | null; children?: ReactNode }) {
  if (!reason) return null
  return <p className="flex items-start gap-1.5 text-xs text-muted"><Icon name={possible ? 'info' : 'warning'} className="mt-0.5 size-3.5" /><span><span className="sr-only">{what}: </span>{reason} {children}</span></p>
}
