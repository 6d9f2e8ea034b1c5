import { api } from '@/api/client'
import { keys } from '@/api/keys'
import { download } from '@/lib/download'
import { plural } from '@/lib/time'
import { Button, Card, Confirm, ErrorNote, Icon, toast } from '@/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useRef, useState } from 'react'
import { type Export, type Imported, importSentence, readExport } from './export-file'

export function Backup() {
  const queries = useQueryClient()
  const file = useRef<HTMLInputElement>(null)
  const [chosen, setChosen] = useState<{ name: string; content: Export } | null>(null)
  const [done, setDone] = useState<Imported | null>(null)
  const [wrong, setWrong] = useState<string | null>(null)
  const save = useMutation({
    mutationFn: () => api.get<Export>('/api/settings/export'),
    onSuccess: (data) => download(`terarchitect-${new Date().toISOString().slice(0, 10)}.json`, 'application/json', `${JSON.stringify(data, null, 2)}\n`),
  })
  const load = useMutation({
    mutationFn: (content: Export) => api.post<{ imported: Imported }>('/api/settings/import', content),
    onSuccess: ({ imported }) => {
      setChosen(null)
      setDone(imported)
      void queries.invalidateQueries({ queryKey: keys.settings })
      void queries.invalidateQueries({ queryKey: keys.projects })
      toast.done('The file is imported.')
    },
  })
  const pick = async (picked: File | undefined) => {
    if (!picked) return
    load.reset()
    setDone(null)
    const result = readExport(await picked.text())
    setWrong('problem' in result ? result.problem : null)
    setChosen('problem' in result ? null : { name: picked.name, content: result.content })
    if (file.current) file.current.value = ''
  }
  return (
    <div className="grid items-start gap-4 md:grid-cols-2">
      <Card title="Export">
        <div className="flex flex-col items-start gap-3 text-sm">
          <p>A file with all settings and projects, for another server or for safekeeping. Keys and tokens are not in it, only the names of those that are set; tickets are in the database’s backup.</p>
          <Button icon="down" sending={save.isPending} onClick={() => save.mutate()}>Export as a file</Button>
          {save.error && <ErrorNote error={save.error} onRetry={() => save.mutate()} />}
        </div>
      </Card>
      <Card title="Import">
        <div className="flex flex-col items-start gap-3 text-sm">
          <p>Takes such a file. You see what is in it before anything is changed.</p>
          <input ref={file} type="file" accept="application/json,.json" className="sr-only" tabIndex={-1} aria-hidden="true" onChange={(event) => void pick(event.target.files?.[0])} />
          <Button icon="up" onClick={() => file.current?.click()}>Choose a file</Button>
          {done && <p role="status">{importSentence(done)}</p>}
          {wrong && <p role="alert" className="flex gap-2 text-bad"><Icon name="warning" className="mt-0.5" />{wrong}</p>}
        </div>
      </Card>
      {chosen && (
        <Confirm open onClose={() => setChosen(null)} title={`Import ${chosen.name}?`} action="Import it" sending={load.isPending} error={load.error} onConfirm={() => load.mutate(chosen.content)}>
          <p>{plural(Object.keys(chosen.content.settings).length, 'setting')} of this server {Object.keys(chosen.content.settings).length === 1 ? 'is' : 'are'} replaced, and {plural(chosen.content.projects?.length ?? 0, 'project')} from the file {chosen.content.projects?.length === 1 ? 'is' : 'are'} made or changed.</p>
          {(chosen.content.secrets?.length ?? 0) > 0 && <p>Keys are not in the file. Set these here afterwards, if they are not set yet: {chosen.content.secrets?.join(', ')}.</p>}
        </Confirm>
      )}
    </div>
  )
}
