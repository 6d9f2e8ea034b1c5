import type { InboxItem } from '@/api/contract'
import { cx } from '@/lib/cx'
import { saysMore } from '@/lib/text'
import { plural } from '@/lib/time'
import { Button, buttonClass, Icon, Kbd, Menu, Output, TimeAgo } from '@/ui'
import { Link } from '@tanstack/react-router'
import { CheckpointParts } from './CheckpointParts'
import { type Decision, idOf, looks, snoozes, standingLine, type Verdict, verdictsFor } from './decisions'
import { KindBadge } from './Row'
import type { Words } from './Words'

interface Props {
  item: InboxItem
  deciding: Map<string, Decision>
  onDecide: (item: InboxItem, verdict: Verdict, more?: { note?: string; forSec?: number; when?: string }) => void
  /** Asks for the words that go with a decision. */
  onWords: (item: InboxItem, words: Words) => void
  onOpen: (item: InboxItem) => void
  mayChange: (item: InboxItem) => boolean
  keysShown?: boolean
}

export function Detail({ item, deciding, onDecide, onWords, onOpen, mayChange, keysShown = false }: Props) {
  const decision = deciding.get(idOf(item))
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
      {item.checkpoint && <CheckpointParts item={item} checkpoint={item.checkpoint} />}
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
        <Actions item={item} keysShown={keysShown} onDecide={onDecide} onWords={onWords} onOpen={onOpen} />
      ) : (
        <p className="flex flex-wrap items-center gap-3 text-sm text-muted"><Button onClick={() => onOpen(item)}>Open the ticket</Button>You may look, but not decide: your role here is viewer.</p>
      )}
    </article>
  )
}

function Actions({ item, keysShown, onDecide, onWords, onOpen }: Pick<Props, 'onDecide' | 'onWords' | 'onOpen'> & { item: InboxItem; keysShown: boolean }) {
  const verdicts = verdictsFor(item)
  const key = (text: string) => keysShown && <Kbd>{text}</Kbd>
  const tall = keysShown ? '' : 'h-[44px]'
  const asks = item.checkpoint?.stage === 'question'
  return (
    <div className="flex flex-wrap gap-2">
      {verdicts.includes('approve') && (
        <>
          {asks
            ? <Button kind="primary" icon="send" className={tall} onClick={() => onWords(item, 'approve')}>Answer{key('a')}</Button>
            : <Button kind="primary" icon="done" className={tall} onClick={() => onDecide(item, 'approve')}>Approve{key('a')}</Button>}
          {!asks && <Button icon="edit" className={tall} onClick={() => onWords(item, 'approve')}>Approve with words{key('A')}</Button>}
          <Button kind="danger" icon="failed" className={tall} onClick={() => onWords(item, 'reject')}>Reject{key('x')}</Button>
        </>
      )}
      {verdicts.includes('retry') && (
        <>
          <Button kind="primary" icon="retry" className={tall} onClick={() => onDecide(item, 'retry')}>Retry{key('r')}</Button>
          <Button icon="edit" className={tall} onClick={() => onWords(item, 'retry')}>Retry with a note{key('R')}</Button>
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
