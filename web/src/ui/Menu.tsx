import * as Radix from '@radix-ui/react-dropdown-menu'
import { cx } from '@/lib/cx'
import type { ReactNode } from 'react'
import { Icon, type IconName } from './Icon'
import { Kbd } from './Kbd'

export interface MenuItem {
  label: string
  icon?: IconName
  shortcut?: string
  danger?: boolean
  disabled?: boolean
  /** The one that is chosen now, in menus that choose. */
  chosen?: boolean
  onSelect: () => void
}

interface Props {
  /** The button that opens it. */
  trigger: ReactNode
  /** Groups are separated by a line. */
  groups: MenuItem[][]
  label?: string
  open?: boolean
  onOpenChange?: (open: boolean) => void
}

export function Menu({ trigger, groups, label, open, onOpenChange }: Props) {
  return (
    <Radix.Root modal={false} {...(open === undefined ? {} : { open })} {...(onOpenChange ? { onOpenChange } : {})}>
      <Radix.Trigger asChild>{trigger}</Radix.Trigger>
      {/* Within the content's landmark, where everything that is shown belongs. */}
      <Radix.Portal container={document.getElementById('main')}>
        <Radix.Content align="end" sideOffset={4} collisionPadding={8} className="z-50 min-w-48 rounded-lg border bg-raised p-1 shadow-high">
          {label && <Radix.Label className="px-2 py-1 text-xs text-muted">{label}</Radix.Label>}
          {groups.filter((group) => group.length > 0).map((group, index) => (
            <Radix.Group key={group[0]?.label ?? index} className={cx(index > 0 && 'mt-1 border-t pt-1')}>
              {group.map((item) => (
                <Radix.Item
                  key={item.label} onSelect={item.onSelect} disabled={item.disabled ?? false}
                  className={cx('flex min-h-8 cursor-default items-center gap-2 rounded px-2 text-sm outline-none data-[disabled]:opacity-50 data-[highlighted]:bg-hover', item.danger && 'text-bad')}
                >
                  {item.icon && <Icon name={item.icon} />}
                  <span className="grow">{item.label}</span>
                  {item.chosen && <Icon name="check" />}
                  {item.shortcut && <Kbd>{item.shortcut}</Kbd>}
                </Radix.Item>
              ))}
            </Radix.Group>
          ))}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  )
}
