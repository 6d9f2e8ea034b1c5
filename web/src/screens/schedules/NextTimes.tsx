/** When a schedule is due next, for who looks and where it is. */
import { useNow } from '@/lib/clock'
import { inTime, ownZone, timeIn } from './times'

export function NextTimes({ times, zone, label }: { times: string[]; zone: string; label: string }) {
  const now = useNow()
  const own = ownZone()
  return (
    <>
      <ol aria-label={label} className="flex flex-col gap-1.5 text-sm">
        {times.map((at) => {
          const there = timeIn(at, zone)
          return (
            <li key={at} className="flex flex-wrap items-baseline gap-x-3">
              <time dateTime={at} className="tabular">{timeIn(at, own) ?? at}</time>
              <span className="text-xs text-muted">{inTime(at, now)}{zone !== own && there && `, there ${there}`}</span>
            </li>
          )
        })}
      </ol>
      {zone !== own && <p className="mt-2 text-xs text-muted">“There” is {zone}.</p>}
    </>
  )
}
