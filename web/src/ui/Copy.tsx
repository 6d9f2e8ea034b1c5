import { useState } from 'react'
import { Button } from './Button'
import { toast } from './Toast'

/** Copies text. Where the browser refuses (pages without https), it says so, and the text can be selected by hand. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return false
  }
}

export async function copyWithToast(text: string, what: string): Promise<void> {
  if (await copyText(text)) toast.done(`${what} copied.`)
  else toast.failed('Nothing was copied: this browser allows it only on https and on this machine.')
}

/** Text to be copied, such as a link that is shown once. */
export function CopyBox({ text, label }: { text: string; label: string }) {
  const [copied, setCopied] = useState<boolean | null>(null)
  return (
    <div className="flex flex-col gap-2">
      <pre tabIndex={0} role="region" aria-label={label} className="overflow-x-auto rounded-md bg-sunken p-3 font-mono text-xs whitespace-pre-wrap select-all">{text}</pre>
      <div className="flex items-center gap-3">
        <Button size="small" icon="copy" onClick={() => void copyText(text).then(setCopied)}>Copy</Button>
        <span role="status" className="text-xs text-muted">
          {copied === true && 'Copied.'}
          {copied === false && 'This browser did not allow it. Select the text and copy it.'}
        </span>
      </div>
    </div>
  )
}
