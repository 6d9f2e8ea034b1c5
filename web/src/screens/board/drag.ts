/** Moves cards with a mouse or a pen. On touch screens a finger scrolls; there the menu moves cards. */
import { type PointerEvent as ReactPointerEvent, useCallback, useRef, useState } from 'react'
import type { ShownCard } from './model'

export interface Drag { shown: ShownCard; over: string | null }

const FAR_ENOUGH = 6

export function useDrag(drop: (shown: ShownCard, column: string) => void) {
  const [drag, setDrag] = useState<Drag | null>(null)
  const dropRef = useRef(drop)
  dropRef.current = drop
  const grab = useCallback((event: ReactPointerEvent<HTMLElement>, shown: ShownCard) => {
    if (event.button !== 0 || event.pointerType === 'touch' || shown.pending) return
    if ((event.target as Element).closest('button')) return
    follow(event.currentTarget, event.clientX, event.clientY, shown, setDrag, (column) => dropRef.current(shown, column))
  }, [])
  return { drag, grab }
}

function follow(card: HTMLElement, startX: number, startY: number, shown: ShownCard, show: (drag: Drag | null) => void, drop: (column: string) => void): void {
  const end = new AbortController()
  const { signal } = end
  let ghost: HTMLElement | null = null
  let over: string | null = null
  let columns: { id: string; box: DOMRect }[] = []

  const begin = () => {
    const box = card.getBoundingClientRect()
    ghost = card.cloneNode(true) as HTMLElement
    ghost.setAttribute('aria-hidden', 'true')
    ghost.inert = true
    Object.assign(ghost.style, { position: 'fixed', left: `${box.left}px`, top: `${box.top}px`, width: `${box.width}px`, zIndex: '50', pointerEvents: 'none', rotate: '1.5deg', boxShadow: 'var(--c-shadow-high)' })
    document.body.append(ghost)
    document.body.style.userSelect = 'none'
    document.body.style.cursor = 'grabbing'
    columns = [...document.querySelectorAll<HTMLElement>('[data-column]')].map((column) => ({ id: column.dataset['column'] ?? '', box: column.getBoundingClientRect() }))
    show({ shown, over })
  }
  const finish = () => {
    ghost?.remove()
    document.body.style.userSelect = ''
    document.body.style.cursor = ''
    show(null)
    end.abort()
  }
  window.addEventListener('pointermove', ({ clientX: x, clientY: y }) => {
    if (!ghost) {
      if (Math.hypot(x - startX, y - startY) < FAR_ENOUGH) return
      begin()
    }
    if (ghost) ghost.style.translate = `${x - startX}px ${y - startY}px`
    const now = columns.find(({ box }) => x >= box.left && x <= box.right)?.id ?? null
    if (now !== over) {
      over = now
      show({ shown, over })
    }
  }, { signal })
  window.addEventListener('pointerup', () => {
    if (ghost) {
      // The click that follows would open the ticket.
      const swallow = (click: MouseEvent) => { click.preventDefault(); click.stopPropagation() }
      window.addEventListener('click', swallow, { capture: true, once: true })
      setTimeout(() => window.removeEventListener('click', swallow, { capture: true }), 0)
      if (over && over !== shown.card.column_id) drop(over)
    }
    finish()
  }, { signal })
  window.addEventListener('pointercancel', finish, { signal })
  window.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && ghost) finish()
  }, { signal })
}
