/** A button with a menu. A board has thousands of them: each is only a button until somebody opens it. */
import { cloneElement, lazy, type MouseEvent, type ReactElement, Suspense, useState } from 'react'
import type { IconName } from './Icon'

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

export interface MenuProps {
  /** The button that opens it. */
  trigger: ReactElement<TriggerProps>
  /** Groups are separated by a line. */
  groups: MenuItem[][]
  label?: string
}

interface TriggerProps {
  onClick?: (event: MouseEvent) => void
  onPointerEnter?: () => void
  'aria-haspopup'?: 'menu'
  'aria-expanded'?: boolean
}

export const loadMenu = () => import('./OpenMenu')
const OpenMenu = lazy(loadMenu)

export function Menu(props: MenuProps) {
  const [opened, setOpened] = useState(false)
  const button = cloneElement(props.trigger, { 'aria-haspopup': 'menu', 'aria-expanded': false, onClick: () => setOpened(true), onPointerEnter: () => void loadMenu() })
  if (!opened) return button
  return <Suspense fallback={button}><OpenMenu {...props} /></Suspense>
}
