/** Acceptance lines with what the Director last said about them. Pure. */
export interface Said { line: string; met?: boolean | null; place?: string }
export interface Judged { line: string; said: 'holds' | 'fails' | 'open' | null; place: string }

/** The lines that are asked for now, then those that only the repository asks for. A line about which nothing was said, since it is newer, has null. */
export function judged(lines: string[], said: Said[]): Judged[] {
  const find = (line: string) => said.find((one) => one.line === line)
  const all = [...lines, ...said.map(({ line }) => line).filter((line) => !lines.includes(line))]
  return [...new Set(all)].map((line) => {
    const one = find(line)
    if (!one) return { line, said: null, place: '' }
    return { line, said: one.met === true ? 'holds' : one.met === false ? 'fails' : 'open', place: one.place ?? '' }
  })
}
