/** Form fields. `Field` joins a label, a hint and an error with its control; the control gets its attributes as a function. */
import { cx } from '@/lib/cx'
import { type ComponentProps, type ReactNode, useId } from 'react'

interface ControlProps { id: string; 'aria-describedby': string | undefined; 'aria-invalid': true | undefined }

export function Field({ label, hint, error, children, className }: { label: string; hint?: ReactNode; error?: string | null | undefined; children: (control: ControlProps) => ReactNode; className?: string }) {
  const id = useId()
  const described = [hint ? `${id}-hint` : '', error ? `${id}-error` : ''].filter(Boolean).join(' ')
  return (
    <div className={cx('flex flex-col gap-1', className)}>
      <label htmlFor={id} className="text-sm font-medium">{label}</label>
      {children({ id, 'aria-describedby': described || undefined, 'aria-invalid': error ? true : undefined })}
      {hint && <p id={`${id}-hint`} className="text-xs text-muted">{hint}</p>}
      {error && <p id={`${id}-error`} className="text-xs font-medium text-bad">{error}</p>}
    </div>
  )
}

const control = 'rounded-md border border-line-strong bg-surface px-3 text-sm text-ink placeholder:text-muted aria-invalid:border-bad disabled:opacity-60'

/** As wide as its place, unless the class says another width. */
function width(className: string | undefined): string {
  return className && /(^|\s)w-/.test(className) ? '' : 'w-full'
}

export function Input({ className, ...rest }: ComponentProps<'input'>) {
  return <input className={cx(control, 'h-9', width(className), className)} {...rest} />
}

export function Textarea({ className, ...rest }: ComponentProps<'textarea'>) {
  return <textarea className={cx(control, 'py-2', width(className), className)} rows={4} {...rest} />
}

/** The browser's own list: it works with every keyboard, reader and phone. */
export function Select({ className, ...rest }: ComponentProps<'select'>) {
  return <select className={cx(control, 'h-9', width(className), className)} {...rest} />
}

export function Checkbox({ label, hint, ...rest }: { label: string; hint?: ReactNode } & ComponentProps<'input'>) {
  const id = useId()
  return (
    <div className="flex items-start gap-2">
      <input id={id} type="checkbox" className="mt-0.5 size-4 accent-accent" aria-describedby={hint ? `${id}-hint` : undefined} {...rest} />
      <div>
        <label htmlFor={id} className="text-sm">{label}</label>
        {hint && <p id={`${id}-hint`} className="text-xs text-muted">{hint}</p>}
      </div>
    </div>
  )
}
