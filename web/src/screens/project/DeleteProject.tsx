import { api } from '@/api/client'
import { keys } from '@/api/keys'
import type { Project } from '@/api/types'
import { Button, Confirm, Field, Input, toast } from '@/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'

export function DeleteProject({ project }: { project: Project }) {
  const [open, setOpen] = useState(false)
  const [name, setName] = useState('')
  const queries = useQueryClient()
  const navigate = useNavigate()
  const remove = useMutation({
    mutationFn: () => api.delete(`/api/projects/${project.id}`, { confirm_name: name }),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: keys.projects })
      await navigate({ to: '/projects', ignoreBlocker: true })
      toast.done(`The project ${project.name} is deleted.`)
    },
  })
  return (
    <>
      <Button kind="danger" onClick={() => setOpen(true)}>Delete the project</Button>
      <Confirm
        open={open} onClose={() => setOpen(false)} title={`Delete ${project.name}?`} action="Delete the project"
        disabled={name !== project.name} sending={remove.isPending} error={remove.error} onConfirm={() => remove.mutate()}
      >
        <p>Its board, tickets, logs, diffs, notes, memory and graph are deleted for good, and what runs for it is stopped. The repository and its pull requests stay as they are.</p>
        <Field label="Type the project’s name to confirm">{(control) => <Input {...control} autoComplete="off" value={name} onChange={(event) => setName(event.target.value)} />}</Field>
      </Confirm>
    </>
  )
}
