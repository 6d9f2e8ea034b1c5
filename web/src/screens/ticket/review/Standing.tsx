/** How a pull request stands: checks, reviews, and what the agent makes of what was said. */
import type { PullOrder, PullReview } from '@/api/contract'
import { plural } from '@/lib/time'
import { Badge, Card, Prose, TimeAgo } from '@/ui'
import { checkLooks, checksLine, latestVerdicts, orderLook, verdictLooks } from './words'

const SHOWN_ORDERS = 20

export function Standing({ review }: { review: PullReview }) {
  const verdicts = latestVerdicts(review.reviews)
  return (
    <div className="grid items-start gap-4 md:grid-cols-2">
      <Card level={3} title={<>Checks <span className="font-normal text-muted">{checksLine(review.checks)}</span></>}>
        {review.checks.length === 0 ? <p className="text-sm text-muted">Nothing checks this head.</p> : (
          <ul className="flex flex-col gap-1.5">
            {review.checks.map((check, index) => {
              const look = checkLooks[check.state]
              return (
                <li key={`${check.name} ${index}`} className="flex items-start gap-2 text-sm">
                  <Badge tone={look.tone} icon={look.icon} className="mt-px shrink-0">{look.word}</Badge>
                  <span className="min-w-0 break-words">
                    {check.url ? <a href={check.url} target="_blank" rel="noopener noreferrer nofollow" className="underline">{check.name}<span aria-hidden="true">↗</span><span className="sr-only"> (leads outside)</span></a> : check.name}
                    {check.summary && check.state === 'failure' && <span className="block text-xs text-muted">{check.summary.split('\n')[0]}</span>}
                  </span>
                </li>
              )
            })}
          </ul>
        )}
      </Card>
      <Card level={3} title="Reviews">
        {verdicts.length === 0 ? <p className="text-sm text-muted">Nobody has reviewed it yet.</p> : (
          <ul className="flex flex-col gap-2">
            {verdicts.map((verdict) => {
              const look = verdictLooks[verdict.state]
              return (
                <li key={verdict.author} className="text-sm">
                  <span className="flex flex-wrap items-center gap-2">
                    <Badge tone={verdict.stale ? 'quiet' : look.tone} icon={look.icon}>{look.word}</Badge>
                    <span className="font-medium">{verdict.author}</span>
                    {verdict.head_sha && <span className="text-xs text-muted">at <code>{verdict.head_sha.slice(0, 8)}</code>{verdict.stale && ', an earlier head'}</span>}
                    {verdict.submitted_at && <TimeAgo at={verdict.submitted_at} className="text-xs text-muted" />}
                  </span>
                  {verdict.body && <Prose text={verdict.body} className="mt-1" />}
                </li>
              )
            })}
          </ul>
        )}
      </Card>
      {review.orders.length > 0 && (
        <Card level={3} className="md:col-span-2" title={<>For the agent <span className="font-normal text-muted">{plural(review.orders.length, 'remark')}</span></>}>
          <ul className="flex max-h-72 flex-col gap-2 overflow-y-auto" tabIndex={0} aria-label="What the agent makes of what was said">
            {review.orders.slice(0, SHOWN_ORDERS).map((order) => <Order key={order.id} order={order} jobId={review.review_job_id} />)}
          </ul>
        </Card>
      )}
    </div>
  )
}

function Order({ order, jobId }: { order: PullOrder; jobId: string | null }) {
  const look = orderLook(order, jobId)
  const what = order.body.trim() || (order.kind === 'check' ? 'A check failed' : 'No text')
  return (
    <li className="flex flex-col gap-0.5 text-sm sm:flex-row sm:items-start sm:gap-2">
      <Badge tone={look.tone} icon={look.icon} className="mt-px w-fit shrink-0">{look.word}</Badge>
      <span className="min-w-0 grow">
        <span className="line-clamp-1">{order.author}: {what}</span>
        {order.reason && <span className="block text-xs text-muted">{order.reason}</span>}
      </span>
      <TimeAgo at={order.received_at} className="shrink-0 text-xs text-muted" />
    </li>
  )
}
