import type { Card } from '@/api/contract'
import { Dialog, Icon, Kbd } from '@/ui'
import { useEffect } from 'react'

interface Props {
  card: Card
  columns: { id: string; title: string }[]
  onClose: () => void
  onMove: (to: { id: string; title: string }) => void
}

/** What dragging does, for keyboards and fingers. */
export function MoveDialog({ card, columns, onClose, onMove }: Props) {
  const first = columns.find(({ id }) => id !== card.column_id)?.id
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      const column = columns[Number(event.key) - 1]
      if (!column || column.id === card.column_id) return
      event.preventDefault()
      onMove(column)
    }
    window.addEventListener('keydown', pressed)
    return () => window.removeEventListener('keydown', pressed)
  }, [columns, card, onMove])
  return (
    <Dialog open onClose={onClose} title="Move to" about={card.title}>
      <ul className="flex flex-col gap-1">
        {columns.map((column, index) => {
          const here = column.id === card.column_id
          return (
            <li key={column.id}>
              <button
                type="button" disabled={here} autoFocus={column.id === first} onClick={() => onMove(column)}
                className="flex h-11 w-full items-center gap-3 rounded-md border px-3 text-left text-sm hover:bg-hover disabled:text-muted disabled:hover:bg-transparent"
              >
                <Kbd>{index + 1}</Kbd><span className="grow">{column.title}</span>{here && <><Icon name="check" /><span className="text-xs">It is here</span></>}
              </button>
            </li>
          )
        })}
      </ul>
    </Dialog>
  )
}
