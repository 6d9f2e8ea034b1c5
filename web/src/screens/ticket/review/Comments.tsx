/** What was said about the pull request as a whole, and a place to say more. */
import type { PullReview } from '@/api/contract'
import { Card } from '@/ui'
import { CommentBox } from './CommentBox'
import { Said } from './Said'

interface Props { path: string; ticketId: string; review: PullReview; mayChange: boolean }

export function Comments({ path, ticketId, review, mayChange }: Props) {
  return (
    <Card level={3} title="Comments">
      <div className="flex flex-col gap-3">
        {review.comments.length === 0 && <p className="text-sm text-muted">No comments yet.</p>}
        {review.comments.length > 0 && <ol className="flex flex-col divide-y">{review.comments.map((comment) => <li key={comment.id} className="py-2 first:pt-0"><Said comment={comment} /></li>)}</ol>}
        {mayChange && <CommentBox path={path} ticketId={ticketId} headSha={review.head.sha} label="Comment" canOrder={review.pr_state === 'open'} />}
      </div>
    </Card>
  )
}
