/** The menu itself, with all that it needs to find its place. Loaded when somebody is about to open one; see `Menu.tsx`. */
import * as Radix from '@radix-ui/react-dropdown-menu'
import { cx } from '@/lib/cx'
import { Icon } from './Icon'
import { Kbd } from './Kbd'
import type { MenuProps } from './Menu'

export default function OpenMenu({ trigger, groups, label }: MenuProps) {
  return (
    <Radix.Root modal={false} defaultOpen>
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
