import * as Radix from '@radix-ui/react-dialog'
import type { ReactNode } from 'react'
import { Icon } from './Icon'

interface Props {
  open: boolean
  onClose: () => void
  title: string
  /** One sentence that says what will happen. */
  about?: ReactNode
  children: ReactNode
  /** Buttons at the end, the main one last. */
  actions?: ReactNode
  wide?: boolean
}

/** A modal dialog: keeps the focus, ends with Escape, and gives the focus back. On a phone it comes from below. */
export function Dialog({ open, onClose, title, about, children, actions, wide = false }: Props) {
  return (
    <Radix.Root open={open} onOpenChange={(now) => { if (!now) onClose() }}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 bg-black/45" />
        <Radix.Content
          {...(about ? {} : { 'aria-describedby': undefined })}
          className={`fixed inset-x-0 bottom-0 z-50 flex max-h-[90dvh] flex-col rounded-t-xl bg-raised shadow-high sm:inset-x-auto sm:top-[12dvh] sm:bottom-auto sm:left-1/2 sm:max-h-[80dvh] sm:w-[min(92vw,var(--w))] sm:-translate-x-1/2 sm:rounded-xl ${wide ? 'sm:[--w:52rem]' : 'sm:[--w:32rem]'}`}
        >
          <div className="flex items-start justify-between gap-4 px-5 pt-4 pb-2">
            <div>
              <Radix.Title className="text-base">{title}</Radix.Title>
              {about && <Radix.Description className="mt-1 text-sm text-muted">{about}</Radix.Description>}
            </div>
            <Radix.Close aria-label="Close" className="-mr-2 inline-flex size-9 shrink-0 items-center justify-center rounded-md text-muted hover:bg-hover hover:text-ink">
              <Icon name="close" />
            </Radix.Close>
          </div>
          <div className="overflow-y-auto px-5 pt-2 pb-4">{children}</div>
          {actions && <div className="flex flex-wrap justify-end gap-2 border-t px-5 py-3">{actions}</div>}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  )
}
