/** The entries of one ticket's log: the newest page first, older ones when somebody scrolls up, new ones as they are announced. */
import { api } from '@/api/client'
import type { Entry, TimelinePage } from '@/api/contract'
import { merge } from './fold'

export interface TimelineState {
  entries: Entry[]
  /** Null until the first page is here. */
  older: boolean | null
  loadingOlder: boolean
  error: unknown
}

const PAGE = 100
const PAGE_OLDER = 200
/** Numbers can commit out of order: what is asked for overlaps what is there. */
const OVERLAP = 32

export class TimelineStore {
  private state: TimelineState = { entries: [], older: null, loadingOlder: false, error: null }
  private readonly listeners = new Set<() => void>()
  private loading: Promise<void> | null = null
  private again = false

  constructor(private readonly path: string) {}

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }
  readonly current = (): TimelineState => this.state

  /** What is new: the newest page at first, then everything after what is there. Calls while it loads lead to one more round. */
  refresh(): Promise<void> {
    if (this.loading) {
      this.again = true
      return this.loading
    }
    this.loading = this.load().finally(() => {
      this.loading = null
      if (!this.again) return
      this.again = false
      void this.refresh()
    })
    return this.loading
  }

  async loadOlder(): Promise<void> {
    const first = this.state.entries[0]
    if (!this.state.older || this.state.loadingOlder || !first) return
    this.set({ loadingOlder: true })
    try {
      const page = await this.page({ before: first.seq, limit: PAGE_OLDER })
      this.set({ entries: merge(page.entries, this.state.entries), older: page.older && page.entries.length > 0, loadingOlder: false, error: null })
    } catch (error) {
      this.set({ loadingOlder: false, error })
    }
  }

  /** The whole history, for the scrubber. */
  async loadAll(): Promise<void> {
    while (this.state.older && !this.state.error) await this.loadOlder()
  }

  private async load(): Promise<void> {
    try {
      if (this.state.older === null) {
        const page = await this.page({ limit: PAGE })
        this.set({ entries: page.entries, older: page.older, error: null })
        return
      }
      for (;;) {
        const last = this.state.entries.at(-Math.min(OVERLAP, this.state.entries.length))
        const page = await this.page({ after: last ? last.seq : 0, limit: PAGE_OLDER })
        this.set({ entries: merge(this.state.entries, page.entries), error: null })
        if (!page.newer || page.entries.length === 0) return
        const reached = page.entries.at(-1)?.seq ?? 0
        if (reached <= (last?.seq ?? 0)) return
      }
    } catch (error) {
      this.set({ error })
    }
  }

  private page(query: Record<string, number>): Promise<TimelinePage> {
    return api.get<TimelinePage>(this.path, { query })
  }

  private set(change: Partial<TimelineState>): void {
    this.state = { ...this.state, ...change }
    for (const listener of this.listeners) listener()
  }
}
