import { api } from '@/api/client'
import type { Session } from '@/api/contract'
import { keys } from '@/api/keys'
import { errorOfField, fieldAtFault } from '@/lib/field-error'
import { SHORTEST_PASSWORD } from '@/lib/passwords'
import { projectsQuery } from '@/shell/projects'
import { Unsaved } from '@/shell/unsaved'
import { Button, Card, ErrorNote, Field, Input, Kv, toast } from '@/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { access } from './roles'
import { Sessions } from './Sessions'

export function Account({ session }: { session: Session }) {
  if (!session.person) {
    return <Card title="Your account"><p className="text-sm">You are not signed in as a person, but {session.as === 'local' ? 'through the server’s own machine' : 'with a key'}. Make an account for yourself with an invitation, so that others see who did what.</p></Card>
  }
  return (
    <div className="grid items-start gap-4 md:grid-cols-2">
      <Name person={session.person} />
      {session.sign_in.password && <Password />}
      <Card title="Where you are signed in" className="md:col-span-2"><Sessions /></Card>
    </div>
  )
}

function Name({ person }: { person: NonNullable<Session['person']> }) {
  const queries = useQueryClient()
  const projects = useQuery(projectsQuery).data ?? []
  const [name, setName] = useState<string | null>(null)
  const value = name ?? person.name
  const dirty = value.trim() !== person.name
  const save = useMutation({
    mutationFn: () => api.patch<Session>('/api/session', { name: value.trim() }),
    onSuccess: (next) => { queries.setQueryData(keys.session, next); setName(null); toast.done('Your name is saved.') },
  })
  const submit = (event: FormEvent) => { event.preventDefault(); if (dirty && !save.isPending) save.mutate() }
  return (
    <Card title="You">
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Unsaved when={dirty} />
        <Kv items={[['Email', person.email], ['You may', access(person, (id) => projects.find((one) => one.id === id)?.name ?? 'a project')]]} />
        <Field label="Name" error={errorOfField(save.error, ['name'], 'name')}>{(control) => <Input {...control} required autoComplete="name" value={value} onChange={(event) => setName(event.target.value)} />}</Field>
        {save.error && fieldAtFault(save.error, ['name']) === null && <ErrorNote what="Nothing was saved." error={save.error} />}
        <div><Button type="submit" kind="primary" disabled={!dirty} sending={save.isPending}>Save the name</Button></div>
      </form>
    </Card>
  )
}

const FIELDS = ['password', 'current_password'] as const

function Password() {
  const [current, setCurrent] = useState('')
  const [password, setPassword] = useState('')
  const save = useMutation({
    mutationFn: () => api.patch<Session>('/api/session', { password, current_password: current }),
    onSuccess: () => { setCurrent(''); setPassword(''); toast.done('Your password is changed.') },
  })
  const submit = (event: FormEvent) => { event.preventDefault(); if (!save.isPending) save.mutate() }
  return (
    <Card title="Password">
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label="Password now" error={errorOfField(save.error, FIELDS, 'current_password')}>{(control) => <Input {...control} type="password" required autoComplete="current-password" value={current} onChange={(event) => setCurrent(event.target.value)} />}</Field>
        <Field label="New password" hint={`At least ${SHORTEST_PASSWORD} characters.`} error={errorOfField(save.error, FIELDS, 'password')}>{(control) => <Input {...control} type="password" required minLength={SHORTEST_PASSWORD} autoComplete="new-password" value={password} onChange={(event) => setPassword(event.target.value)} />}</Field>
        {save.error && fieldAtFault(save.error, FIELDS) === null && <ErrorNote what="The password was not changed." error={save.error} />}
        <div><Button type="submit" kind="primary" sending={save.isPending}>Change the password</Button></div>
      </form>
    </Card>
  )
}
