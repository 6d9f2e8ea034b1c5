/** What an agent waits for: what it is about, the end of its log, and how long it still waits. */
import { api } from '@/api/client'
import type { InboxItem, TimelinePage } from '@/api/contract'
import { keys } from '@/api/keys'
import { useNow } from '@/lib/clock'
import { cx } from '@/lib/cx'
import { clockTime, exactly } from '@/lib/time'
import { ErrorNote, Icon, Output, Skeleton } from '@/ui'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import { MORE, previewsOf, waitsFor } from './checkpoint'

type Checkpoint = NonNullable<InboxItem['checkpoint']>

/** So many files are open from the beginning; more would hide what is to be decided. */
const OPEN_AT_ONCE = 3
/** The lines of the log's end. */
const LINES = 12

export function CheckpointParts({ item, checkpoint }: { item: InboxItem; checkpoint: Checkpoint }) {
  const previews = previewsOf(checkpoint.data)
  return (
    <div className="flex flex-col gap-2">
      {previews.map(({ title, about, text, file }, index) => text === '' ? (
        <p key={index} className="flex items-center gap-2 text-sm"><Icon name="file" className="text-muted" /><span className="font-mono text-xs break-all">{title}</span></p>
      ) : (
        <Fold key={index} open={index < OPEN_AT_ONCE && (title !== MORE || index === 0)} title={<>{file && <Icon name="file" className="size-3.5 text-muted" />}<span className={cx('min-w-0 break-all', file && 'font-mono text-xs')}>{title}</span>{about && <span className="text-xs font-normal text-muted">{about}</span>}</>}>
          <Output label={`${title}: ${item.title}`} text={text} className="max-h-72" />
        </Fold>
      ))}
      <EndOfLog item={item} />
      <Expiry at={checkpoint.expires_at} />
    </div>
  )
}

function Fold({ title, open, children, onOpen }: { title: ReactNode; open: boolean; children: ReactNode; onOpen?: () => void }) {
  return (
    <details open={open} onToggle={(event) => { if (event.currentTarget.open) onOpen?.() }} className="group flex flex-col">
      <summary className="flex min-h-8 cursor-pointer list-none items-center gap-2 rounded text-sm font-medium pointer-coarse:min-h-[44px] [&::-webkit-details-marker]:hidden">
        <Icon name="chevron" className="size-3.5 text-muted transition-transform group-open:rotate-90" />{title}
      </summary>
      <div className="pt-1">{children}</div>
    </details>
  )
}

/** The last lines of the ticket's log, asked for when they are opened, and renewed while they are. */
function EndOfLog({ item }: { item: InboxItem }) {
  const [opened, setOpened] = useState(false)
  const path = `/api/projects/${item.project_id}/tickets/${item.ticket_id}/timeline`
  const log = useQuery({ queryKey: keys.logEnd(item.ticket_id), enabled: opened, queryFn: ({ signal }) => api.get<TimelinePage>(path, { signal, query: { limit: LINES } }) })
  const entries = log.data?.entries ?? []
  return (
    <Fold title="The end of the log" open={false} onOpen={() => setOpened(true)}>
      {log.error && <ErrorNote error={log.error} onRetry={() => void log.refetch()} />}
      {log.isLoading && <Skeleton label="Loading the log" />}
      {log.data && entries.length === 0 && <p className="text-sm text-muted">Nothing was logged yet: nothing of this job has run.</p>}
      {entries.length > 0 && (
        <ol aria-label={`The end of the log: ${item.title}`} className="flex flex-col gap-1 rounded-md bg-sunken p-3 text-xs">
          {entries.map((entry) => (
            <li key={entry.id} className="flex gap-2">
              <time dateTime={entry.created_at} title={exactly(entry.created_at)} className="shrink-0 text-muted tabular">{clockTime(entry.created_at)}</time>
              <span className={cx('min-w-0 break-words', !entry.success && 'text-bad')}>{entry.summary}</span>
            </li>
          ))}
        </ol>
      )}
      <p className="mt-1.5 text-sm"><Link to="/projects/$projectId/tickets/$ticketId" params={{ projectId: item.project_id, ticketId: item.ticket_id }} className="underline">All of the log</Link></p>
    </Fold>
  )
}

function Expiry({ at }: { at: string }) {
  const { text, soon } = waitsFor(at, useNow())
  return <p className={cx('text-xs', soon ? 'font-semibold text-wait' : 'text-muted')}><time dateTime={at} title={exactly(at)}>{text}</time></p>
}
