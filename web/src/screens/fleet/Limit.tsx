import { api } from '@/api/client'
import type { FleetCoordinator } from '@/api/contract'
import { keys } from '@/api/keys'
import { errorOfField, fieldAtFault } from '@/lib/field-error'
import { Button, Dialog, ErrorNote, Field, Input, toast } from '@/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'

const FIELDS = ['limit'] as const

export function Limit({ open, host, name, path, onClose }: { open: boolean; host: FleetCoordinator; name: string; path: string; onClose: () => void }) {
  const queries = useQueryClient()
  const [text, setText] = useState(host.limit?.toString() ?? '')
  const save = useMutation({
    mutationFn: () => api.put(path, { limit: text.trim() === '' ? null : Number(text) }),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: keys.fleet })
      onClose()
      toast.done(text.trim() === '' ? `${name} uses all of its slots.` : `${name} runs at most ${text} at once.`)
    },
  })
  const submit = (event: FormEvent) => { event.preventDefault(); if (!save.isPending) save.mutate() }
  return (
    <Dialog
      open={open} onClose={onClose} title={`Limit the slots of ${name}`} about="Jobs that run already go on; the limit counts for the next ones."
      actions={<><Button onClick={onClose}>Cancel</Button><Button type="submit" form="limit" kind="primary" sending={save.isPending}>Save</Button></>}
    >
      <form id="limit" onSubmit={submit} className="flex flex-col gap-3">
        <Field label="At most" hint={host.slots == null ? 'Empty: as many as the host allows.' : `The host itself allows ${host.slots}. Empty: all of them.`} error={errorOfField(save.error, FIELDS, 'limit')}>
          {(control) => <Input {...control} type="number" min={0} max={host.slots ?? undefined} autoFocus value={text} onChange={(event) => setText(event.target.value)} />}
        </Field>
        {save.error && fieldAtFault(save.error, FIELDS) === null && <ErrorNote error={save.error} />}
      </form>
    </Dialog>
  )
}
