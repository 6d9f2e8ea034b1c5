import type { PullComment } from '@/api/contract'
import { Badge, Icon, Prose, TimeAgo } from '@/ui'

/** One comment: only ever text. */
export function Said({ comment }: { comment: PullComment }) {
  return (
    <div className="flex flex-col gap-1">
      <p className="flex flex-wrap items-center gap-x-2 text-xs text-muted">
        <span className="font-medium text-ink">{comment.author || 'Somebody who is gone'}</span>
        {comment.is_bot && <Badge>bot</Badge>}
        {comment.created_at && <TimeAgo at={comment.created_at} />}
        {comment.url && <a href={comment.url} target="_blank" rel="noopener noreferrer" className="inline-flex min-h-6 items-center" aria-label={`The comment of ${comment.author} at the forge`}><Icon name="external" className="size-3.5" /></a>}
      </p>
      <Prose text={comment.body || '(nothing that can be seen)'} className="break-words" />
    </div>
  )
}
