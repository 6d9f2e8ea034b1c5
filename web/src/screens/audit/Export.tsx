import { api } from '@/api/client'
import type { AuditEntry, AuditFilters, AuditPage } from '@/api/contract'
import { download } from '@/lib/download'
import { plural } from '@/lib/time'
import { Button, buttonClass, Icon, toast } from '@/ui'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { csvAddress, queryOf } from './rows'

const PAGE = 500

/** What the filters leave, as a file. */
export function Export({ filters }: { filters: AuditFilters }) {
  const [count, setCount] = useState(0)
  const json = useMutation({
    mutationFn: async () => {
      const entries: AuditEntry[] = []
      for (let older = true; older;) {
        const page: AuditPage = await api.get<AuditPage>('/api/audit', { query: { ...queryOf(filters), before: entries.at(-1)?.seq, limit: PAGE } })
        entries.push(...page.entries)
        setCount(entries.length)
        older = page.older && page.entries.length > 0
      }
      return entries
    },
    onSuccess: (entries) => {
      download('audit.json', 'application/json', `${JSON.stringify(entries, null, 2)}\n`)
      toast.done(`${plural(entries.length, 'entry', 'entries')} exported.`)
    },
    onError: (error) => toast.failed('Nothing was exported.', error),
    onSettled: () => setCount(0),
  })
  return (
    <>
      <a href={csvAddress(filters)} download="audit.csv" className={buttonClass('plain', 'small')}><Icon name="down" className="size-3.5" />Export as CSV</a>
      <Button size="small" icon="down" sending={json.isPending} onClick={() => json.mutate()}>{json.isPending && count > 0 ? `${count} so far` : 'Export as JSON'}</Button>
    </>
  )
}
