/** Text from outside: agents, models, tools, people. Never HTML; escapes are shown; links are marked as leading outside. */
import { cleanOutput, links } from '@/lib/text'
import { cx } from '@/lib/cx'

export function Linked({ text }: { text: string }) {
  return (
    <>
      {links(text).map((piece, index) =>
        piece.href === null ? piece.text : (
          <a key={index} href={piece.href} target="_blank" rel="noopener noreferrer nofollow" className="underline">
            {piece.text}<span aria-hidden="true">↗</span><span className="sr-only"> (leads outside)</span>
          </a>
        ),
      )}
    </>
  )
}

/** Prose: keeps line breaks. */
export function Prose({ text, className }: { text: string; className?: string }) {
  return <div className={cx('text-sm leading-relaxed whitespace-pre-wrap', className)}><Linked text={cleanOutput(text)} /></div>
}

/** Output of programs; scrolls within itself and is reachable with the keyboard for that. */
export function Output({ text, label, className }: { text: string; label: string; className?: string }) {
  return (
    <pre tabIndex={0} role="region" aria-label={label} className={cx('max-h-96 overflow-auto rounded-md bg-sunken p-3 font-mono text-xs leading-5 whitespace-pre-wrap', className)}>
      <Linked text={cleanOutput(text)} />
    </pre>
  )
}
