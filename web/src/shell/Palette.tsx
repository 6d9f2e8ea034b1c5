/** Mod+K: go anywhere by typing. A combobox over a list, as the ARIA practices have it. */
import type { Board } from '@/api/contract'
import { keys } from '@/api/keys'
import { cx } from '@/lib/cx'
import { Dialog, Icon, type IconName } from '@/ui'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useId, useMemo, useState } from 'react'
import { projectsQuery } from './projects'
import { screens } from './screens'

interface Choice { id: string; title: string; about: string; icon: IconName; go: () => void }

const MOST = 12

export default function Palette({ onClose }: { onClose: () => void }) {
  return (
    <Dialog open onClose={onClose} title="Go to">
      <Search onClose={onClose} />
    </Dialog>
  )
}

function Search({ onClose }: { onClose: () => void }) {
  const [text, setText] = useState('')
  const [at, setAt] = useState(0)
  const id = useId()
  const found = useChoices(text)
  const chosen = Math.min(at, found.length - 1)
  const pick = (choice: Choice | undefined) => {
    if (!choice) return
    onClose()
    choice.go()
  }
  return (
    <div>
      <input
        role="combobox" aria-expanded="true" aria-controls={`${id}-list`} aria-label="Screen, project or ticket" autoFocus
        aria-activedescendant={found.length > 0 ? `${id}-${chosen}` : undefined} autoComplete="off" value={text}
        placeholder="Screen, project or ticket"
        className="h-10 w-full rounded-md border border-line-strong bg-surface px-3 text-sm placeholder:text-muted"
        onChange={(event) => { setText(event.target.value); setAt(0) }}
        onKeyDown={(event) => {
          if (event.key === 'ArrowDown') setAt((chosen + 1) % Math.max(1, found.length))
          else if (event.key === 'ArrowUp') setAt((chosen + found.length - 1) % Math.max(1, found.length))
          else if (event.key === 'Enter') pick(found[chosen])
          else return
          event.preventDefault()
        }}
      />
      <ul role="listbox" id={`${id}-list`} aria-label="Places" className="mt-2">
        {found.map((choice, index) => (
          <li
            key={choice.id} id={`${id}-${index}`} role="option" aria-selected={index === chosen}
            className={cx('flex cursor-pointer items-center gap-2 rounded-md px-3 py-2 text-sm', index === chosen && 'bg-hover')}
            onMouseMove={() => setAt(index)} onClick={() => pick(choice)}
          >
            <Icon name={choice.icon} className="text-muted" />
            <span className="min-w-0 grow truncate">{choice.title}</span>
            <span className="text-xs text-muted">{choice.about}</span>
          </li>
        ))}
      </ul>
      {found.length === 0 && <p className="px-3 py-4 text-sm text-muted">Nothing here has that name. Tickets are found on boards that were opened.</p>}
    </div>
  )
}

function useChoices(text: string): Choice[] {
  const navigate = useNavigate()
  const queries = useQueryClient()
  const projects = useQuery(projectsQuery).data
  return useMemo(() => {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean)
    const fits = (title: string) => words.every((word) => title.toLowerCase().includes(word))
    const choices: Choice[] = screens
      .filter((screen) => fits(screen.title))
      .map((screen) => ({ id: screen.to, title: screen.title, about: 'Screen', icon: screen.icon, go: () => void navigate({ to: screen.to }) }))
    for (const project of projects ?? []) {
      if (!fits(project.name)) continue
      choices.push({ id: project.id, title: project.name, about: 'Board', icon: 'board', go: () => void navigate({ to: '/projects/$projectId/board', params: { projectId: project.id } }) })
    }
    if (words.length > 0) {
      for (const [, board] of queries.getQueriesData<Board>({ queryKey: keys.boards })) {
        for (const card of board?.cards ?? []) {
          if (choices.length >= MOST) break
          if (!fits(card.title)) continue
          choices.push({ id: card.id, title: card.title, about: 'Ticket', icon: 'file', go: () => void navigate({ to: '/projects/$projectId/tickets/$ticketId', params: { projectId: card.project_id, ticketId: card.id } }) })
        }
      }
    }
    return choices.slice(0, MOST)
  }, [text, projects, navigate, queries])
}
