import { useCallback, useEffect, useState } from 'react'

/** Counts seconds down to nothing, for waits that the server asked for. */
export function useCountdown(): { left: number; start: (seconds: number) => void } {
  const [until, setUntil] = useState(0)
  const [left, setLeft] = useState(0)
  useEffect(() => {
    if (until === 0) return
    const count = () => {
      const seconds = Math.max(0, Math.ceil((until - Date.now()) / 1_000))
      setLeft(seconds)
      if (seconds === 0) clearInterval(timer)
    }
    const timer = setInterval(count, 250)
    count()
    return () => clearInterval(timer)
  }, [until])
  return { left, start: useCallback((seconds) => setUntil(Date.now() + seconds * 1_000), []) }
}
