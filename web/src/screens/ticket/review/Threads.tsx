/** What was said at lines, each thread with its piece of the diff and a place to reply. */
import type { PullReview, PullThread } from '@/api/contract'
import { cleanOutput } from '@/lib/text'
import { cx } from '@/lib/cx'
import { plural } from '@/lib/time'
import { Badge, Button } from '@/ui'
import { useState } from 'react'
import { CommentBox } from './CommentBox'
import { Said } from './Said'
import { hunkTail, openThreads, threadPlace, threadsInOrder } from './words'

interface Props { path: string; ticketId: string; review: PullReview; mayChange: boolean }

export function Threads({ path, ticketId, review, mayChange }: Props) {
  if (review.threads.length === 0) return null
  return (
    <section aria-label="Threads" className="flex flex-col gap-3">
      <h3 className="text-sm">Threads <span className="font-normal text-muted">{openThreads(review.threads)}</span></h3>
      <ul className="flex flex-col gap-3">
        {threadsInOrder(review.threads).map((thread) => <li key={thread.id}><Thread path={path} ticketId={ticketId} thread={thread} review={review} mayChange={mayChange} /></li>)}
      </ul>
    </section>
  )
}

function Thread({ path, ticketId, thread, review, mayChange }: Props & { thread: PullThread }) {
  const settled = thread.resolved === true
  const [open, setOpen] = useState(!settled)
  const [replying, setReplying] = useState(false)
  const place = threadPlace(thread)
  return (
    <article aria-label={`Thread at ${place}`} className="rounded-lg border bg-surface">
      <div className="flex flex-wrap items-center gap-2 border-b px-3 py-1.5 text-xs">
        <code className="min-w-0 break-all">{place}</code>
        {thread.on_base && <span className="text-muted">in the base</span>}
        {settled && <Badge tone="good" icon="done">Resolved</Badge>}
        <span className="grow" />
        <Button size="small" kind="ghost" aria-expanded={open} onClick={() => setOpen(!open)}>{open ? 'Fold' : `Show ${plural(thread.comments.length, 'comment')}`}<span className="sr-only"> of {place}</span></Button>
      </div>
      {open && (
        <>
          {thread.hunk && <Hunk hunk={thread.hunk} label={`The lines at ${place}`} />}
          <ol className="flex flex-col divide-y">{thread.comments.map((comment) => <li key={comment.id} className="px-3 py-2"><Said comment={comment} /></li>)}</ol>
          {mayChange && review.pr_state === 'open' && (
            <div className="border-t p-3">
              {replying
                ? <CommentBox path={path} ticketId={ticketId} headSha={review.head.sha} threadId={thread.id} label={`Reply at ${place}`} onClose={() => setReplying(false)} />
                : <Button size="small" icon="edit" onClick={() => setReplying(true)}>Reply<span className="sr-only"> at {place}</span></Button>}
            </div>
          )}
        </>
      )}
    </article>
  )
}

function Hunk({ hunk, label }: { hunk: string; label: string }) {
  return (
    <pre tabIndex={0} role="region" aria-label={label} className="overflow-x-auto border-b bg-sunken font-mono text-xs leading-5">
      <span className="block min-w-max py-1">
        {hunkTail(hunk).map((line, index) => (
          <span key={index} className={cx('block px-3 whitespace-pre', line.startsWith('+') && 'bg-added', line.startsWith('-') && 'bg-removed', line.startsWith('@@') && 'text-muted')}>{cleanOutput(line) || ' '}</span>
        ))}
      </span>
    </pre>
  )
}
