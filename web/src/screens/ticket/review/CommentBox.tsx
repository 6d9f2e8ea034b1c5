/** Writes a comment or a reply; with "Ask the agent" it becomes work. What was typed stays when posting fails. */
import { api } from '@/api/client'
import type { ReviewDone } from '@/api/contract'
import { keys } from '@/api/keys'
import { Button, Checkbox, ErrorNote, Field, Textarea, toast } from '@/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'

interface Props { path: string; ticketId: string; headSha: string; threadId?: string; label: string; canOrder?: boolean; onClose?: () => void }

export function CommentBox({ path, ticketId, headSha, threadId, label, canOrder = true, onClose }: Props) {
  const queries = useQueryClient()
  const [text, setText] = useState('')
  const [order, setOrder] = useState(false)
  const post = useMutation({
    mutationFn: () => api.post<ReviewDone>(`${path}/comment`, { body: text, head_sha: headSha, order: order && canOrder, ...(threadId ? { thread_id: threadId } : {}) }),
    onSuccess: (done) => {
      if (done.review) queries.setQueryData(keys.review(ticketId), done.review)
      else void queries.invalidateQueries({ queryKey: keys.review(ticketId) })
      toast.done(order ? 'Posted. The agent will work on it.' : 'Posted.')
      setText('')
      onClose?.()
    },
  })
  const submit = (event: FormEvent) => { event.preventDefault(); if (text.trim() && !post.isPending) post.mutate() }
  return (
    <form onSubmit={submit} className="flex flex-col gap-2">
      <Field label={label} hint="Posted by this system’s account, with your name.">
        {(control) => <Textarea {...control} rows={3} autoFocus={onClose !== undefined} value={text} onChange={(event) => setText(event.target.value)} />}
      </Field>
      {canOrder && <Checkbox label="Ask the agent" hint="It works on this as on a review, and answers here." checked={order} onChange={(event) => setOrder(event.target.checked)} />}
      {post.error && <ErrorNote what="Nothing was posted." error={post.error} />}
      <div className="flex flex-wrap gap-2">
        <Button type="submit" size="small" kind="primary" icon="send" disabled={!text.trim()} sending={post.isPending}>{order && canOrder ? 'Ask the agent' : 'Post'}</Button>
        {onClose && <Button size="small" onClick={onClose}>Cancel</Button>}
      </div>
    </form>
  )
}
