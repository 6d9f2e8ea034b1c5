/** The ticket's pull request: how it stands, what was said, and what can be done with it from here. */
import { api } from '@/api/client'
import type { PullReview } from '@/api/contract'
import { ApiError } from '@/api/errors'
import { keys } from '@/api/keys'
import { Badge, EmptyState, ErrorNote, Icon, Prose, Skeleton, TimeAgo } from '@/ui'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Comments } from './Comments'
import { Decide } from './Decide'
import { Standing } from './Standing'
import { Threads } from './Threads'
import { stateLook } from './words'

interface Props { projectId: string; ticketId: string; mayChange: boolean }

export default function ReviewTab({ projectId, ticketId, mayChange }: Props) {
  const path = `/api/projects/${projectId}/tickets/${ticketId}/review`
  const review = useQuery({ queryKey: keys.review(ticketId), queryFn: ({ signal }) => api.get<PullReview>(path, { signal }) })
  if (review.error instanceof ApiError && review.error.code === 'no_pull_request') {
    return <EmptyState icon="pr" title="No pull request yet">The runner opens one when the work is done.</EmptyState>
  }
  if (review.error && !review.data) {
    return (
      <div className="flex flex-col gap-3">
        <ErrorNote what="The pull request could not be read." error={review.error} onRetry={() => void review.refetch()} />
        <p className="text-sm text-muted">What this server needs of the forge is under <Link to="/projects/$projectId" params={{ projectId }} search={{ show: 'forge' }} className="underline">Forge in the project’s settings</Link>.</p>
      </div>
    )
  }
  if (!review.data) return <Skeleton lines={8} label="Reading the pull request from its forge" />
  return (
    <div className="flex flex-col gap-4 pb-4">
      {review.error && <ErrorNote what="What you see may be old." error={review.error} onRetry={() => void review.refetch()} />}
      <Head review={review.data} onRetry={() => void review.refetch()} />
      <Standing review={review.data} />
      {mayChange && review.data.pr_state === 'open' && <Decide projectId={projectId} path={path} ticketId={ticketId} review={review.data} />}
      <Threads path={path} ticketId={ticketId} review={review.data} mayChange={mayChange} />
      <Comments path={path} ticketId={ticketId} review={review.data} mayChange={mayChange} />
    </div>
  )
}

function Head({ review, onRetry }: { review: PullReview; onRetry: () => void }) {
  const look = stateLook(review)
  return (
    <div className="flex flex-col gap-2">
      <div className="flex flex-wrap items-center gap-x-2 gap-y-1">
        <Badge tone={look.tone} icon={look.icon}>{look.word}</Badge>
        <h2 className="min-w-0 text-base">
          <a href={review.pr_url} target="_blank" rel="noopener noreferrer" className="text-ink no-underline hover:underline">
            {review.title} <span className="font-normal text-muted">#{review.pr_number}</span> <Icon name="external" className="inline size-3.5" /><span className="sr-only"> (leads outside)</span>
          </a>
        </h2>
      </div>
      <p className="text-xs text-muted">
        {review.author} {review.pr_state === 'open' ? 'wants to merge' : 'opened it to merge'} <code className="break-all">{review.head.repo && `${review.head.repo}:`}{review.head.branch}</code> into <code className="break-all">{review.base.branch}</code>, head <code>{review.head.sha.slice(0, 8)}</code>. Read from the forge <TimeAgo at={review.read_at} />.
      </p>
      {review.stale_reason && (
        <div role="status" className="flex flex-wrap items-start gap-2 rounded-md bg-wait-soft px-3 py-2 text-sm text-wait">
          <Icon name="warning" className="mt-0.5" />
          <span className="min-w-0 grow basis-52">This may be old. {review.stale_reason}</span>
          <button type="button" className="font-medium underline" onClick={onRetry}>Try again</button>
        </div>
      )}
      {review.body && (
        <details>
          <summary className="cursor-pointer text-sm text-accent">Description</summary>
          <Prose text={review.body} className="mt-2" />
        </details>
      )}
    </div>
  )
}
