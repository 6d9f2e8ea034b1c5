import type { TicketAction } from './actions'
import { Button, Dialog } from '@/ui'

type Move = Extract<TicketAction, { kind: 'move' }>

/** A move out of In Progress ends the agent's work, or the wait for it: that is said before. */
export function ConfirmMove({ move, onClose, onConfirm }: { move: Move; onClose: () => void; onConfirm: () => void }) {
  const waits = move.card.state.word === 'waiting'
  const about = waits
    ? `“${move.card.title}” waits to be worked on. Moving it out of In Progress takes it out of the queue.`
    : `“${move.card.title}” is being worked on. Moving it out of In Progress stops the agent; what it committed stays on the branch.`
  return (
    <Dialog
      open onClose={onClose} title={waits ? `Move it to ${move.toTitle} without a run?` : `Stop it and move it to ${move.toTitle}?`} about={about}
      actions={<><Button onClick={onClose}>Leave it there</Button><Button kind="danger" {...(waits ? {} : { icon: 'stop' })} onClick={() => { onClose(); onConfirm() }}>{waits ? 'Move it' : 'Stop and move'}</Button></>}
    >
      <p className="text-sm">{move.card.state.sentence}</p>
    </Dialog>
  )
}
