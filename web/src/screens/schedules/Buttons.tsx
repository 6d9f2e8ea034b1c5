/** What can be done with a schedule at once. */
import { api } from '@/api/client'
import type { Schedule, ScheduleStarted } from '@/api/contract'
import { keys } from '@/api/keys'
import { Button, toast } from '@/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'

export function Buttons({ schedule }: { schedule: Schedule }) {
  const queries = useQueryClient()
  const navigate = useNavigate()
  const renewed = () => queries.invalidateQueries({ queryKey: keys.schedules })
  const path = `/api/v1/jobs/${schedule.id}`
  const run = useMutation({
    mutationFn: () => api.post<ScheduleStarted>(`${path}/run`),
    onSuccess: (started) => {
      void renewed()
      if (started.launch_error) toast.failed(`${schedule.name}: its order is there, but was not launched. ${started.launch_error}`)
      else toast.done(`${schedule.name}: its order is launched.`, { label: 'Open it', run: () => void navigate({ to: '/orders/$orderId', params: { orderId: started.work_order_id } }) })
    },
    onError: (error) => toast.failed(`${schedule.name} was not run.`, error),
  })
  const pause = useMutation({
    mutationFn: (enabled: boolean) => api.patch<{ job: Schedule }>(path, { enabled }),
    onSuccess: async ({ job }) => { await renewed(); toast.done(job.enabled ? `${job.name} runs by itself again.` : `${job.name} is paused.`) },
    onError: (error) => toast.failed(`${schedule.name} goes on as before.`, error),
  })
  const of = <span className="sr-only"> {schedule.name}</span>
  return (
    <div className="flex shrink-0 flex-wrap gap-2">
      <Button icon="play" sending={run.isPending} onClick={() => run.mutate()}>Run now{of}</Button>
      <Button icon={schedule.enabled ? 'pause' : 'play'} sending={pause.isPending} onClick={() => pause.mutate(!schedule.enabled)}>{schedule.enabled ? 'Pause' : 'Resume'}{of}</Button>
    </div>
  )
}
