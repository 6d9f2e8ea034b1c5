import type { InboxItem } from '@/api/contract'
import { cx } from '@/lib/cx'
import { Badge, TimeAgo } from '@/ui'
import { lookOf } from './checkpoint'
import { type Decision, idOf, looks } from './decisions'

export function KindBadge({ item }: { item: InboxItem }) {
  if (item.review?.ready) return <Badge tone="good" icon="done">Ready{item.pr_number !== null && ` #${item.pr_number}`}</Badge>
  if (item.checkpoint) {
    const { word, icon, tone } = lookOf(item.checkpoint)
    return <Badge tone={tone} icon={icon}>{word}</Badge>
  }
  return item.kind === 'failed' ? <Badge tone="bad" icon="failed">Failed</Badge> : <Badge tone="review" icon="pr">Pull request{item.pr_number !== null && ` #${item.pr_number}`}</Badge>
}

export function Row({ item, chosen, decision, onChoose }: { item: InboxItem; chosen: boolean; decision: Decision | undefined; onChoose: () => void }) {
  return (
    <li id={`inbox-${idOf(item)}`}>
      <button
        type="button" aria-current={chosen || undefined} onClick={onChoose}
        className={cx('flex w-full flex-col gap-1 rounded-lg border px-3 py-2 text-left', chosen ? 'border-accent bg-accent-soft' : 'border-transparent hover:bg-hover', decision && 'border-dashed')}
      >
        <span className="flex w-full items-center gap-2">
          <KindBadge item={item} />
          <span className="min-w-0 grow truncate text-xs text-muted">{item.project_name}</span>
          <span className="shrink-0 text-xs text-muted tabular">{decision ? `${looks[decision.verdict].pending}…` : <TimeAgo at={item.since} />}</span>
        </span>
        <span className="line-clamp-2 text-sm font-medium">{item.title}</span>
        {item.checkpoint && <span className="line-clamp-1 text-xs text-muted">{item.sentence}</span>}
      </button>
    </li>
  )
}
