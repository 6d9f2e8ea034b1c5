import type { InboxItem } from '@/api/contract'
import { cx } from '@/lib/cx'
import { saysMore } from '@/lib/text'
import { plural } from '@/lib/time'
import { Button, buttonClass, Icon, Kbd, Menu, Output, TimeAgo } from '@/ui'
import { Link } from '@tanstack/react-router'
import { type Decision, looks, previews, snoozes, standingLine, type Verdict, verdictsFor } from './decisions'
import { KindBadge } from './Row'

interface Props {
  item: InboxItem
  deciding: Map<string, Decision>
  onDecide: (item: InboxItem, verdict: Verdict, more?: { note?: string; forSec?: number; when?: string }) => void
  onNote: (item: InboxItem) => void
  onOpen: (item: InboxItem) => void
  mayChange: (item: InboxItem) => boolean
  keysShown?: boolean
}

export function Detail({ item, deciding, onDecide, onNote, onOpen, mayChange, keysShown = false }: Props) {
  const decision = deciding.get(item.ticket_id)
  const may = mayChange(item)
  return (
    <article aria-label={item.title} className={cx('flex flex-col gap-3 rounded-lg border bg-surface p-4 shadow-card', decision && 'border-dashed border-line-strong')}>
      <div className="flex flex-wrap items-center gap-x-2 gap-y-1 text-xs text-muted">
        <KindBadge item={item} />
        <span>{item.project_name}</span>
        <span aria-hidden="true">·</span>
        <TimeAgo at={item.since} />
      </div>
      <h2 className="text-base">
        <Link to="/projects/$projectId/tickets/$ticketId" params={{ projectId: item.project_id, ticketId: item.ticket_id }} className="text-ink no-underline hover:underline">{item.title}</Link>
      </h2>
      <p className="text-sm">{item.sentence}</p>
      {item.review && <p className="text-sm text-muted">{standingLine(item.review)}</p>}
      {item.detail && saysMore(item.sentence, item.detail) && <Output label={`What was reported: ${item.title}`} text={item.detail} className="max-h-64" />}
      {item.checkpoint && previews(item.checkpoint.data as Record<string, unknown>).map(({ title, text }) => (
        <details key={title} open><summary className="cursor-pointer text-sm font-medium">{title}</summary><Output label={title} text={text} className="max-h-64" /></details>
      ))}
      {item.checkpoint && <p className="text-xs text-muted">It expires <TimeAgo at={item.checkpoint.expires_at} />.</p>}
      {(item.diffstat || item.pr_url) && (
        <p className="flex flex-wrap items-center gap-x-4 gap-y-1 text-sm">
          {item.pr_url && <a href={item.pr_url} target="_blank" rel="noopener noreferrer" className="inline-flex min-h-6 items-center gap-1">Pull request{item.pr_number !== null && ` #${item.pr_number}`}<Icon name="external" className="size-3.5" /></a>}
          {item.diffstat && (
            <span className="tabular">{plural(item.diffstat.files, 'file')} <span className="text-good">+{item.diffstat.added}</span> <span className="text-bad">−{item.diffstat.removed}</span></span>
          )}
        </p>
      )}
      {decision ? (
        <p role="status" className="text-sm text-muted">{looks[decision.verdict].pending}… The server has not confirmed it yet.</p>
      ) : may ? (
        <Actions item={item} keysShown={keysShown} onDecide={onDecide} onNote={onNote} onOpen={onOpen} />
      ) : (
        <p className="flex flex-wrap items-center gap-3 text-sm text-muted"><Button onClick={() => onOpen(item)}>Open the ticket</Button>You may look, but not decide: your role here is viewer.</p>
      )}
    </article>
  )
}

function Actions({ item, keysShown, onDecide, onNote, onOpen }: Pick<Props, 'onDecide' | 'onNote' | 'onOpen'> & { item: InboxItem; keysShown: boolean }) {
  const verdicts = verdictsFor(item)
  const key = (text: string) => keysShown && <Kbd>{text}</Kbd>
  const tall = keysShown ? '' : 'h-11'
  return (
    <div className="flex flex-wrap gap-2">
      {verdicts.includes('approve') && (
        <>
          <Button kind="primary" icon="done" className={tall} onClick={() => onDecide(item, 'approve')}>Approve{key('a')}</Button>
          <Button icon="failed" className={tall} onClick={() => onDecide(item, 'reject')}>Reject{key('x')}</Button>
        </>
      )}
      {verdicts.includes('retry') && (
        <>
          <Button kind="primary" icon="retry" className={tall} onClick={() => onDecide(item, 'retry')}>Retry{key('r')}</Button>
          <Button icon="edit" className={tall} onClick={() => onNote(item)}>Retry with a note{key('R')}</Button>
        </>
      )}
      {item.kind === 'pull_request' && item.pr_number !== null && (
        <Link to="/projects/$projectId/tickets/$ticketId" params={{ projectId: item.project_id, ticketId: item.ticket_id }} search={{ show: 'review' }} className={cx(buttonClass('primary'), tall)}><Icon name="pr" />Review it{key('v')}</Link>
      )}
      {item.kind === 'pull_request' && item.pr_number === null && item.pr_url && (
        <a href={item.pr_url} target="_blank" rel="noopener noreferrer" className={cx(buttonClass('primary'), tall)}><Icon name="external" />Review it{key('p')}</a>
      )}
      {verdicts.includes('done') && <Button icon="done" className={tall} onClick={() => onDecide(item, 'done')}>Done{key('d')}</Button>}
      {verdicts.includes('backlog') && <Button icon="backlog" className={tall} onClick={() => onDecide(item, 'backlog')}>Backlog{key('b')}</Button>}
      <Menu
        label="Show it again"
        trigger={<Button icon="waiting" className={tall}>Later{key('z')}</Button>}
        groups={[snoozes(new Date()).map(({ label, forSec }) => ({ label, onSelect: () => onDecide(item, 'snooze', { forSec, when: label }) }))]}
      />
      {keysShown && <Button icon="chevron" onClick={() => onOpen(item)}>Open{key('o')}</Button>}
    </div>
  )
}
