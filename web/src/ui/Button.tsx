import { cx } from '@/lib/cx'
import type { ComponentProps } from 'react'
import { Icon, type IconName } from './Icon'

const kinds = {
  primary: 'bg-accent text-on-accent hover:bg-accent-hover border-transparent',
  plain: 'bg-surface text-ink hover:bg-hover border-line-strong/50',
  ghost: 'bg-transparent text-ink hover:bg-hover border-transparent',
  danger: 'bg-surface text-bad hover:bg-bad-soft border-bad/50',
} as const

const sizes = { small: 'h-7 px-2 text-xs gap-1', normal: 'h-9 px-3 text-sm gap-1.5' } as const

/** The looks of a button, for links that are to look like one. */
export function buttonClass(kind: keyof typeof kinds = 'plain', size: keyof typeof sizes = 'normal'): string {
  return cx('inline-flex items-center justify-center rounded-md border font-medium whitespace-nowrap no-underline transition-colors disabled:opacity-50 disabled:cursor-not-allowed', kinds[kind], sizes[size])
}

interface Props extends ComponentProps<'button'> {
  kind?: keyof typeof kinds
  size?: keyof typeof sizes
  icon?: IconName
  /** The request was sent and is not answered yet: the button says so with its words, and can't be pressed again. */
  sending?: boolean
}

export function Button({ kind = 'plain', size = 'normal', icon, sending = false, className, children, disabled, type = 'button', ...rest }: Props) {
  return (
    <button type={type} className={cx(buttonClass(kind, size), className)} disabled={disabled || sending} aria-busy={sending || undefined} {...rest}>
      {icon && <Icon name={icon} className={size === 'small' ? 'size-3.5' : 'size-4'} />}
      {children}
      {sending && <span aria-hidden="true">…</span>}
    </button>
  )
}

interface IconButtonProps extends Omit<ComponentProps<'button'>, 'children'> {
  icon: IconName
  /** What it does, for everybody who does not see the icon, and as its hint. */
  label: string
  size?: 'small' | 'normal'
}

export function IconButton({ icon, label, size = 'normal', className, type = 'button', ...rest }: IconButtonProps) {
  return (
    <button
      type={type} aria-label={label} title={label}
      className={cx('inline-flex shrink-0 items-center justify-center rounded-md text-muted hover:bg-hover hover:text-ink disabled:opacity-50', size === 'small' ? 'size-7 pointer-coarse:size-9' : 'size-9', className)}
      {...rest}
    >
      <Icon name={icon} />
    </button>
  )
}
