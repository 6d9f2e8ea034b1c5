/**
 * Stands in for the package `react-remove-scroll`, which Radix uses: the page behind an open dialog does not scroll. The
 * package does it with a <style> element, which our Content-Security-Policy forbids; this sets a property instead.
 */
import { type ElementType, type ReactNode, type Ref, useLayoutEffect } from 'react'

interface Props {
  as?: ElementType
  children?: ReactNode
  ref?: Ref<unknown>
  enabled?: boolean
  allowPinchZoom?: boolean
  shards?: unknown
  [other: string]: unknown
}

let open = 0

export function RemoveScroll({ as: As = 'div', enabled = true, allowPinchZoom: _zoom, shards: _shards, ...rest }: Props) {
  useLayoutEffect(() => {
    if (!enabled) return
    open += 1
    document.body.style.overflow = 'hidden'
    return () => {
      open -= 1
      if (open === 0) document.body.style.overflow = ''
    }
  }, [enabled])
  return <As {...rest} />
}
