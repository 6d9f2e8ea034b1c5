import type { TicketAction } from './actions'
import { Button, Dialog } from '@/ui'

type Move = Extract<TicketAction, { kind: 'move' }>

/** A move out of In Progress ends the agent's work: that is said before. */
export function ConfirmMove({ move, onClose, onConfirm }: { move: Move; onClose: () => void; onConfirm: () => void }) {
  return (
    <Dialog
      open onClose={onClose} title={`Stop it and move it to ${move.toTitle}?`}
      about={`“${move.card.title}” is being worked on. Moving it out of In Progress stops the agent; what it committed stays on the branch.`}
      actions={<><Button onClick={onClose}>Leave it there</Button><Button kind="danger" icon="stop" onClick={() => { onClose(); onConfirm() }}>Stop and move</Button></>}
    >
      <p className="text-sm">{move.card.state.sentence}</p>
    </Dialog>
  )
}
