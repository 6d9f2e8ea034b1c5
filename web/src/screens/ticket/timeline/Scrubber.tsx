import { clockTime, took } from '@/lib/time'
import { Button, IconButton } from '@/ui'
import { useEffect, useMemo, useState } from 'react'
import { countAt, filmOf } from './scrub'
import type { TimelineState, TimelineStore } from './store'

const FRAME_MS = 100
/** The film runs this much faster than it was. */
const SPEED = 20

/** Goes through a finished run again; pauses in which nothing happened are cut. */
export function Scrubber({ state, store, onShow }: { state: TimelineState; store: TimelineStore; onShow: (upTo: number | null) => void }) {
  const [moment, setMoment] = useState<number | null>(null)
  const [playing, setPlaying] = useState(false)
  const film = useMemo(() => (moment === null ? null : filmOf(state.entries)), [state.entries, moment === null])
  const show = (next: number | null) => {
    setMoment(next)
    onShow(next === null || !film ? null : Math.max(1, countAt(film, next)))
  }
  useEffect(() => {
    if (!playing || moment === null || !film) return
    if (moment >= film.length) {
      setPlaying(false)
      return
    }
    const timer = setTimeout(() => show(Math.min(film.length, moment + FRAME_MS * SPEED)), FRAME_MS)
    return () => clearTimeout(timer)
  })
  const begin = () => {
    void store.loadAll().then(() => {
      setMoment(0)
      onShow(1)
    })
  }
  if (moment === null || !film) {
    return <div><Button size="small" kind="ghost" icon="play" onClick={begin}>Replay the run</Button></div>
  }
  const count = Math.max(1, countAt(film, moment))
  const at = state.entries[count - 1]?.created_at
  return (
    <div className="flex flex-wrap items-center gap-x-3 gap-y-1 rounded-md border bg-surface px-2 py-1">
      <IconButton size="small" icon={playing ? 'stop' : 'play'} label={playing ? 'Stop here' : 'Play'} onClick={() => { if (!playing && moment >= film.length) show(0); setPlaying(!playing) }} />
      <input
        type="range" min={0} max={film.length} value={moment} step={Math.max(1, Math.round(film.length / 500))} aria-label="Moment of the run"
        aria-valuetext={at ? `${count} of ${state.entries.length} entries, ${clockTime(at)}` : undefined}
        className="min-w-32 grow accent-accent" onChange={(event) => { setPlaying(false); show(Number(event.target.value)) }}
      />
      <span className="text-xs text-muted tabular">{at && clockTime(at)} · {count} of {state.entries.length} · took {took(film.realMs)}{film.cutMs > 1_000 && `, ${took(film.cutMs)} of it silent and left out`}</span>
      <Button size="small" kind="ghost" onClick={() => { setPlaying(false); show(null) }}>Show everything</Button>
    </div>
  )
}
