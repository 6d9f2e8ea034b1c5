import { keys } from '@/api/keys'
import { useConnection } from '@/live/context'
import { Button, Icon } from '@/ui'
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { useSession } from './session'

/** Parts of the page are loaded when they are needed, and those of another version do not fit: a new server asks for a reload. */
export function NewVersion() {
  const { version } = useSession()
  const [first] = useState(version)
  const { state } = useConnection()
  const queries = useQueryClient()
  const [wasAway, setWasAway] = useState(false)
  useEffect(() => {
    if (state === 'offline') setWasAway(true)
    if (state !== 'live' || !wasAway) return
    setWasAway(false)
    void queries.invalidateQueries({ queryKey: keys.session })
  }, [state, wasAway, queries])
  if (version === first) return null
  return (
    <div role="status" className="flex flex-wrap items-center gap-3 bg-accent-soft px-4 py-2 text-sm">
      <Icon name="info" className="text-accent" />
      <span className="grow">The server is now version {version}; this page is still of {first}.</span>
      <Button size="small" icon="retry" onClick={() => window.location.reload()}>Reload</Button>
    </div>
  )
}
