import { useNow } from '@/lib/clock'
import { ago, exactly } from '@/lib/time'

/** How long ago something was, with the exact time as its hint. */
export function TimeAgo({ at, className }: { at: string; className?: string }) {
  const now = useNow()
  return <time dateTime={at} title={exactly(at)} className={className}>{ago(at, now)}</time>
}
