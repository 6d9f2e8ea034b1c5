/** A new work order: what is to be reached, where, and the prompt that it makes, before anything is created. */
import { api } from '@/api/client'
import type { Launched } from '@/api/contract'
import { keys } from '@/api/keys'
import { errorOfField, fieldAtFault } from '@/lib/field-error'
import { CONTENT_FIELDS } from '@/parts/order-content'
import { OrderFields, PlaceFields } from '@/parts/OrderFields'
import { Button, buttonClass, Card, Dialog, ErrorNote, Field, Output, Screen, Select, toast } from '@/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { bodyOf, draft, emptyDraft, forgetKey, keyFor } from './draft'

const FIELDS = [...CONTENT_FIELDS, 'repo_id', 'agent_id', 'source'] as const

export default function NewOrder() {
  const queries = useQueryClient()
  const navigate = useNavigate()
  const [values, setValues] = useState(draft.get)
  const set = (change: Partial<typeof values>) => { const next = { ...values, ...change }; draft.set(next); setValues(next) }
  const preview = useMutation({ mutationFn: () => api.post<{ prompt: string }>('/api/v1/work-orders/preview', bodyOf(values)) })
  const create = useMutation({
    mutationFn: () => {
      const body = bodyOf(values)
      return api.post<Launched>('/api/v1/work-orders', body, { headers: { 'idempotency-key': keyFor(JSON.stringify(body)) } })
    },
    onSuccess: (made) => {
      draft.set(emptyDraft())
      forgetKey()
      void queries.invalidateQueries({ queryKey: keys.orderLists })
      if (made.launch_error) toast.failed(`The order is there, but was not launched. ${made.launch_error}`)
      else toast.done(values.source === 'local' ? 'The order is there.' : 'The order is launched.')
      void navigate({ to: '/orders/$orderId', params: { orderId: made.work_order_id }, replace: true })
    },
  })
  const refused = create.error ?? preview.error
  const error = (field: string) => errorOfField(refused, FIELDS, field)
  const submit = (event: FormEvent) => { event.preventDefault(); if (!create.isPending) { preview.reset(); create.mutate() } }
  return (
    <Screen title="New work order" actions={<Link to="/orders" className={buttonClass()}>All work orders</Link>}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Card title="Where and who">
          <div className="flex flex-col gap-4">
            <PlaceFields repo={values.repo} agent={values.agent} onChange={set} repoError={error('repo_id')} agentError={error('agent_id')} required={values.source === 'cloud'} />
            <Field label="Who works on it" className="sm:max-w-md" error={error('source')}>
              {(control) => (
                <Select {...control} value={values.source} onChange={(event) => set({ source: event.target.value === 'local' ? 'local' : 'cloud' })}>
                  <option value="cloud">An agent from here: it is launched at once</option>
                  <option value="local">An agent elsewhere, such as in an editor: it is not launched</option>
                </Select>
              )}
            </Field>
          </div>
        </Card>
        <Card title="What"><OrderFields values={values.content} onChange={(content) => set({ content })} error={error} /></Card>
        {refused && fieldAtFault(refused, FIELDS) === null && <ErrorNote what={create.error ? 'Nothing was ordered.' : 'There is no prompt to show.'} error={refused} />}
        <div className="flex flex-wrap gap-2">
          <Button type="submit" kind="primary" icon={values.source === 'cloud' ? 'play' : 'plus'} sending={create.isPending}>{values.source === 'cloud' ? 'Create and launch' : 'Create'}</Button>
          <Button icon="review" sending={preview.isPending} onClick={() => { create.reset(); preview.mutate() }}>Preview the prompt</Button>
          <Button kind="ghost" onClick={() => { create.reset(); preview.reset(); set(emptyDraft()) }}>Empty the form</Button>
        </div>
      </form>
      <Dialog open={preview.data !== undefined} onClose={() => preview.reset()} wide title="The prompt" about="What the agent reads first. Its id comes once the order is created." actions={<Button kind="primary" onClick={() => preview.reset()}>Back to the form</Button>}>
        {preview.data && <Output label="The prompt" text={preview.data.prompt} className="max-h-[50dvh]" />}
      </Dialog>
    </Screen>
  )
}
