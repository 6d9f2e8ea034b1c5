/** Something secret that the server shows once: a link or a token. */
import { CopyBox, Icon } from '@/ui'
import type { ReactNode } from 'react'

export function OnceBox({ label, text, children }: { label: string; text: string; children?: ReactNode }) {
  return (
    <div className="flex flex-col gap-3">
      <p className="flex gap-2 rounded-md bg-wait-soft p-3 text-sm text-wait"><Icon name="warning" className="mt-0.5" /><span>This is shown once. Copy it now; nobody can read it later, only replace it.</span></p>
      <CopyBox label={label} text={text} />
      {children}
    </div>
  )
}
