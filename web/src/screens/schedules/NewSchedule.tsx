import { api } from '@/api/client'
import type { Schedule } from '@/api/contract'
import { keys } from '@/api/keys'
import { Unsaved } from '@/shell/unsaved'
import { Button, buttonClass, Screen, toast } from '@/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { ScheduleForm } from './ScheduleForm'
import { ownZone } from './times'
import { bodyOf, newValues, templates } from './values'

export default function NewSchedule() {
  const { template } = useSearch({ from: '/shell/schedules/new' })
  const queries = useQueryClient()
  const navigate = useNavigate()
  const [begun] = useState(() => newValues(ownZone(), templates.find(({ id }) => id === template)))
  const [values, setValues] = useState(begun)
  const create = useMutation({ mutationFn: () => api.post<{ job: Schedule }>('/api/v1/jobs', bodyOf(values)) })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (create.isPending) return
    create.mutate(undefined, {
      onSuccess: ({ job }) => {
        void queries.invalidateQueries({ queryKey: keys.schedules })
        toast.done('The schedule is there.')
        void navigate({ to: '/schedules/$scheduleId', params: { scheduleId: job.id }, replace: true, ignoreBlocker: true })
      },
    })
  }
  return (
    <Screen title="New schedule" actions={<Link to="/schedules" className={buttonClass()}>All schedules</Link>}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Unsaved when={values !== begun && !create.isSuccess} />
        <ScheduleForm values={values} onChange={setValues} refused={create.error} />
        <div><Button type="submit" kind="primary" icon="plus" sending={create.isPending}>Create the schedule</Button></div>
      </form>
    </Screen>
  )
}
