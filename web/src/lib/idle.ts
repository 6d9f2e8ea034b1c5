/** Loads parts of the page that were not needed to show it, once there is nothing better to do. */
export function loadWhenIdle(...parts: (() => Promise<unknown>)[]): () => void {
  let stopped = false
  const timer = setTimeout(async () => {
    for (const part of parts) {
      if (stopped) return
      // If one can't be loaded now, it is tried again when it is needed, and says so then.
      await part().catch(() => undefined)
    }
  }, 2_000)
  return () => {
    stopped = true
    clearTimeout(timer)
  }
}
