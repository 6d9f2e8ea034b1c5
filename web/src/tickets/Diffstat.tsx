import type { Diffstat as Stat } from '@/api/contract'
import { plural } from '@/lib/time'

export function Diffstat({ stat, files = false }: { stat: Stat; files?: boolean }) {
  return (
    <span className="inline-flex gap-1 text-xs tabular whitespace-nowrap" title={`${plural(stat.files, 'file')}, ${stat.added} lines added, ${stat.removed} removed`}>
      {files && <span className="text-muted">{plural(stat.files, 'file')}</span>}
      <span className="font-medium text-good">+{stat.added}</span>
      <span className="font-medium text-bad">−{stat.removed}</span>
    </span>
  )
}
