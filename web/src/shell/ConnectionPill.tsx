import { useConnection } from '@/live/context'
import { cx } from '@/lib/cx'
import { clockTime } from '@/lib/time'
import { tones } from '@/ui'

const looks = {
  live: { word: 'Live', tone: 'good', about: 'Changes are shown as they happen.' },
  catching_up: { word: 'Catching up', tone: 'wait', about: 'Connecting, or reading what happened meanwhile. What you see may be old.' },
  offline: { word: 'Offline', tone: 'bad', about: 'The server can’t be reached. What you see may be old. This page keeps trying.' },
} as const

/** Whether what is shown is what is. */
export function ConnectionPill() {
  const { state, since, polling } = useConnection()
  const look = looks[state]
  const about = `${look.about}${polling ? ' Something between here and the server holds the live stream back, so changes are asked for every few seconds.' : ''} Since ${clockTime(new Date(since).toISOString())}.`
  return (
    <span role="status" aria-live="polite" title={about} className={cx('inline-flex h-6 items-center gap-1.5 rounded-full px-2 text-xs font-medium whitespace-nowrap', tones[look.tone])}>
      <span aria-hidden="true" className={cx('size-2 rounded-full bg-current', state === 'catching_up' && 'bg-transparent ring-2 ring-current', state === 'offline' && 'rounded-none')} />
      {look.word}
    </span>
  )
}
