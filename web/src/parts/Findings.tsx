/** What a host's own check found: what is wrong with what to do first, what is right on one line. */
import type { Finding } from '@/api/contract'
import { plural } from '@/lib/time'
import { Icon, Linked } from '@/ui'

export function Findings({ findings }: { findings: readonly Finding[] }) {
  const wrong = findings.filter((finding) => !finding.ok)
  const right = findings.filter((finding) => finding.ok)
  return (
    <div className="flex flex-col gap-2 text-sm">
      {wrong.map((finding) => (
        <div key={finding.check} className="flex gap-2 rounded-md bg-wait-soft px-3 py-2">
          <Icon name="warning" className="mt-0.5 text-wait" />
          <div className="min-w-0"><p><Linked text={finding.sentence} /></p>{finding.fix && <p className="mt-0.5 text-muted"><strong className="text-ink">What to do:</strong> <Linked text={finding.fix} /></p>}</div>
        </div>
      ))}
      {right.length > 0 && (
        <details>
          <summary className="cursor-pointer text-xs text-muted"><Icon name="check" className="mr-1 inline size-3.5 text-good" />{wrong.length === 0 ? `Everything is right (${plural(right.length, 'check')})` : `${plural(right.length, 'other check is', 'other checks are')} right`}</summary>
          <ul className="mt-1 flex flex-col gap-0.5 pl-5 text-xs text-muted">{right.map((finding) => <li key={finding.check}><Linked text={finding.sentence} /></li>)}</ul>
        </details>
      )}
    </div>
  )
}
