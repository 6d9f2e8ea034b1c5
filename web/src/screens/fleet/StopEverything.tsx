import { api } from '@/api/client'
import type { Fleet } from '@/api/contract'
import { keys } from '@/api/keys'
import { plural } from '@/lib/time'
import { Confirm, toast } from '@/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { stopConsequences } from './reasons'

export function StopEverything({ open, fleet, onClose }: { open: boolean; fleet: Fleet; onClose: () => void }) {
  const queries = useQueryClient()
  const stop = useMutation({
    mutationFn: () => api.post<{ cancelled: number }>('/api/fleet/stop'),
    onSuccess: async ({ cancelled }) => {
      await queries.invalidateQueries({ queryKey: keys.fleet })
      void queries.invalidateQueries({ queryKey: keys.summary })
      onClose()
      toast.done(`Everything is stopped. ${plural(cancelled, 'job was', 'jobs were')} asked to stop.`)
    },
  })
  return (
    <Confirm open={open} onClose={onClose} title="Stop everything?" action="Stop everything" sending={stop.isPending} error={stop.error} onConfirm={() => stop.mutate()}>
      <ul className="flex list-disc flex-col gap-2 pl-5">{stopConsequences(fleet).map((sentence) => <li key={sentence}>{sentence}</li>)}</ul>
    </Confirm>
  )
}
