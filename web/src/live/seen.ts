/** Remembers which events were seen. A replay overlaps what came before, since the log's numbers can commit out of order. */
export class Seen {
  private readonly order: number[] = []
  private readonly known = new Set<number>()

  constructor(private readonly limit = 5_000) {}

  /** Whether it is new. */
  add(seq: number): boolean {
    if (this.known.has(seq)) return false
    this.known.add(seq)
    this.order.push(seq)
    if (this.order.length > this.limit * 2) {
      for (const old of this.order.splice(0, this.limit)) this.known.delete(old)
    }
    return true
  }
}
