import { turnOff, turnOn, useNotices } from '@/shell/notices'
import { Button, toast } from '@/ui'
import { useState } from 'react'

/** Turns the browser's notices on and off. Where there are none, there is nothing to press. */
export function NoticeButton() {
  const notices = useNotices()
  const [asking, setAsking] = useState(false)
  if (notices === 'unknown') return null
  if (notices === 'denied') return <span className="text-sm text-muted">This browser blocks notices of this page.</span>
  const on = async () => {
    setAsking(true)
    const now = await turnOn().finally(() => setAsking(false))
    if (now === 'unknown') toast.failed('This browser shows no notices of pages that are not installed.')
    else if (now !== 'on') toast.failed('The browser did not allow notices. Its settings for this page change that.')
  }
  return notices === 'on'
    ? <Button icon="bell" aria-pressed="true" onClick={turnOff}>Notices are on</Button>
    : <Button icon="bell" aria-pressed="false" sending={asking} onClick={() => void on()}>Notify me</Button>
}
