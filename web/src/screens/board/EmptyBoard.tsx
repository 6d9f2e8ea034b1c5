import { Button, EmptyState } from '@/ui'
import type { Draft } from './NewTicket'

/** Tickets that make sense in nearly every repository, so that the first one is a click away. */
const samples: Draft[] = [
  { title: 'Describe how to run the tests', description: 'Find out how the tests of this repository are run, run them, and write a short section about it for the README.\n\nLeave the code alone.' },
  { title: 'Remove what nothing uses', description: 'Find functions, files and dependencies that nothing uses, and remove them. All tests pass before and after.\n\nOne commit for each thing that is removed, with the reason.' },
  { title: 'Test what is not tested', description: 'Find the most important function without a test, and write tests for what it promises, also for wrong input.\n\nDo not change the function.' },
]

export function EmptyBoard({ mayChange, onNew }: { mayChange: boolean; onNew: (draft: Draft) => void }) {
  return (
    <EmptyState icon="board" title="No tickets yet">
      <p>A ticket says what should be different. An agent works on it in a container and ends with a pull request.</p>
      {mayChange && (
        <>
          <Button kind="primary" icon="plus" className="mt-4" onClick={() => onNew({ title: '', description: '' })}>New ticket</Button>
          <p className="mt-5 mb-2 font-medium text-ink">Or begin with one of these:</p>
          <ul className="flex flex-col gap-2">
            {samples.map((draft) => <li key={draft.title}><Button className="w-full" onClick={() => onNew(draft)}>{draft.title}</Button></li>)}
          </ul>
        </>
      )}
    </EmptyState>
  )
}
