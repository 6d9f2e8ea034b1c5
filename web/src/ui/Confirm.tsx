import type { ReactNode } from 'react'
import { Button } from './Button'
import { Dialog } from './Dialog'
import { ErrorNote } from './notes'

interface Props {
  open: boolean
  onClose: () => void
  title: string
  /** Exactly what will happen, and whether it can be undone. */
  children: ReactNode
  /** The button that does it: a verb and its object, such as "Delete the note". */
  action: string
  onConfirm: () => void
  sending?: boolean
  error?: unknown
  disabled?: boolean
}

/** Asks before something that can't be undone. It stays open until the server has answered, and says why if it refused. */
export function Confirm({ open, onClose, title, children, action, onConfirm, sending = false, error, disabled = false }: Props) {
  return (
    <Dialog
      open={open} onClose={onClose} title={title}
      actions={<><Button onClick={onClose}>Cancel</Button><Button kind="danger" sending={sending} disabled={disabled} onClick={onConfirm}>{action}</Button></>}
    >
      <div className="flex flex-col gap-3 text-sm">
        {children}
        {error != null && <ErrorNote error={error} />}
      </div>
    </Dialog>
  )
}
