/** The graph as a picture. Pointer: drag parts and the ground, wheel with Ctrl zooms. Keys: Tab, arrows, Enter, c, Delete. */
import { cx } from '@/lib/cx'
import { IconButton } from '@/ui'
import { type KeyboardEvent, type PointerEvent, useEffect, useRef, useState } from 'react'
import type { Chosen } from './Graph'
import { bounds, changeNode, connect, type Edge, HEIGHT, line, type Model, type Node, WIDTH } from './model'

export interface GraphParts {
  model: Model
  may: boolean
  chosen: Chosen | null
  onChoose: (chosen: Chosen | null) => void
  onChange: (model: Model, group?: string | null) => void
  /** The part that a connection is being drawn from. */
  connecting: string | null
  onConnecting: (id: string | null) => void
  onRemove: (chosen: Chosen) => void
}

const STEP = 10
const ARROWS: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }

export function Canvas(props: GraphParts) {
  const { model, chosen, onChoose, connecting } = props
  const svg = useRef<SVGSVGElement>(null)
  const [box, setBox] = useState(() => bounds(model.nodes))
  const drag = useDrag(props, svg, box, setBox)
  const zoom = (factor: number) => setBox((old) => {
    const width = Math.min(20_000, Math.max(200, old.width * factor))
    const height = (width / old.width) * old.height
    return { x: old.x + (old.width - width) / 2, y: old.y + (old.height - height) / 2, width, height }
  })
  useEffect(() => {
    const element = svg.current
    if (!element) return
    // React's own wheel listener is passive, and the page would zoom.
    const wheel = (event: WheelEvent) => { if (event.ctrlKey || event.metaKey) { event.preventDefault(); zoom(event.deltaY > 0 ? 1.12 : 0.89) } }
    element.addEventListener('wheel', wheel, { passive: false })
    return () => element.removeEventListener('wheel', wheel)
  }, [])
  const byId = new Map(model.nodes.map((node) => [node.id, node]))
  return (
    <div className="relative overflow-hidden rounded-lg border bg-surface">
      <svg
        ref={svg} role="group" aria-label="Graph" viewBox={`${box.x} ${box.y} ${box.width} ${box.height}`} preserveAspectRatio="xMidYMid meet"
        className="block h-[min(60dvh,36rem)] w-full touch-none select-none" onPointerDown={drag.ground} onPointerMove={drag.move} onPointerUp={drag.end} onPointerCancel={drag.end}
      >
        <defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" className="fill-line-strong" /></marker></defs>
        {model.edges.map((edge) => {
          const from = byId.get(edge.source)
          const to = byId.get(edge.target)
          return from && to ? <Line key={edge.id} edge={edge} from={from} to={to} chosen={chosen?.kind === 'edge' && chosen.id === edge.id} onChoose={() => onChoose({ kind: 'edge', id: edge.id })} /> : null
        })}
        {model.nodes.map((node) => <Part key={node.id} node={node} {...props} onPress={(event) => drag.node(event, node)} />)}
      </svg>
      <div className="absolute right-2 bottom-2 flex rounded-md border bg-raised">
        <IconButton size="small" icon="plus" label="Zoom in" onClick={() => zoom(0.8)} />
        <IconButton size="small" icon="fit" label="Show everything" onClick={() => setBox(bounds(model.nodes))} />
        <IconButton size="small" icon="minus" label="Zoom out" onClick={() => zoom(1.25)} />
      </div>
      <p role="status" className={cx('absolute top-2 left-2 rounded bg-accent-soft px-2 py-1 text-xs text-accent', !connecting && 'sr-only')}>
        {connecting ? `From ${byId.get(connecting)?.label ?? ''}: choose the part it leads to. Escape ends it.` : ''}
      </p>
    </div>
  )
}

function useDrag({ model, may, onChange, onChoose, connecting, onConnecting }: GraphParts, svg: React.RefObject<SVGSVGElement | null>, box: ReturnType<typeof bounds>, setBox: (box: ReturnType<typeof bounds>) => void) {
  const from = useRef<{ x: number; y: number; node: Node | null; box: typeof box; name: string } | null>(null)
  const scale = () => {
    const shown = svg.current?.getBoundingClientRect()
    return shown && shown.width > 0 ? Math.max(box.width / shown.width, box.height / shown.height) : 1
  }
  const begin = (event: PointerEvent, node: Node | null) => {
    if (event.button !== 0) return
    from.current = { x: event.clientX, y: event.clientY, node, box, name: `drag ${event.timeStamp}` }
    svg.current?.setPointerCapture(event.pointerId)
  }
  return {
    ground: (event: PointerEvent) => { onChoose(null); begin(event, null) },
    node: (event: PointerEvent, node: Node) => {
      event.stopPropagation()
      if (connecting) { onChange(connect(model, connecting, node.id)); onConnecting(null) }
      onChoose({ kind: 'node', id: node.id })
      if (may && !connecting) begin(event, node)
    },
    move: (event: PointerEvent) => {
      const start = from.current
      if (!start) return
      const dx = (event.clientX - start.x) * scale()
      const dy = (event.clientY - start.y) * scale()
      if (start.node) onChange(changeNode(model, start.node.id, { x: Math.round(start.node.x + dx), y: Math.round(start.node.y + dy) }), start.name)
      else setBox({ ...start.box, x: start.box.x - dx, y: start.box.y - dy })
    },
    end: () => { from.current = null },
  }
}

function Part({ node, model, may, chosen, onChoose, onChange, connecting, onConnecting, onRemove, onPress }: GraphParts & { node: Node; onPress: (event: PointerEvent) => void }) {
  const here: Chosen = { kind: 'node', id: node.id }
  const isChosen = chosen?.kind === 'node' && chosen.id === node.id
  const pressed = (event: KeyboardEvent) => {
    const arrow = ARROWS[event.key]
    if (event.key === 'Enter' || event.key === ' ') {
      if (connecting) { onChange(connect(model, connecting, node.id)); onConnecting(null) }
      onChoose(here)
    } else if (!may) return
    else if (arrow) onChange(changeNode(model, node.id, { x: node.x + arrow[0] * STEP, y: node.y + arrow[1] * STEP }), `arrow ${node.id}`)
    else if (event.key === 'c') onConnecting(node.id)
    else if (event.key === 'Delete' || event.key === 'Backspace') onRemove(here)
    else return
    event.preventDefault()
  }
  return (
    <g
      role="button" tabIndex={0} aria-pressed={isChosen} aria-label={node.label} transform={`translate(${node.x} ${node.y})`} className="group cursor-pointer outline-none"
      onKeyDown={pressed} onPointerDown={onPress}
    >
      <rect width={WIDTH} height={HEIGHT} rx="8" className={cx('stroke-2 group-focus-visible:stroke-focus', isChosen ? 'fill-accent-soft stroke-accent' : 'fill-raised stroke-line-strong')} />
      <foreignObject width={WIDTH} height={HEIGHT} className="pointer-events-none">
        <div className="flex h-full items-center justify-center px-2 text-center text-sm leading-5 font-medium text-ink"><span className="line-clamp-2 wrap-anywhere">{node.label}</span></div>
      </foreignObject>
      {node.description && <title>{node.description}</title>}
    </g>
  )
}

function Line({ edge, from, to, chosen, onChoose }: { edge: Edge; from: Node; to: Node; chosen: boolean; onChoose: () => void }) {
  const at = line(from, to)
  return (
    <g
      role="button" tabIndex={0} aria-pressed={chosen} aria-label={`${from.label} leads to ${to.label}${edge.label ? `: ${edge.label}` : ''}`} className="group cursor-pointer outline-none"
      onPointerDown={(event) => { event.stopPropagation(); onChoose() }} onKeyDown={(event) => { if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); onChoose() } }}
    >
      <line {...at} className="stroke-transparent" strokeWidth="16" />
      <line {...at} markerEnd="url(#arrow)" strokeWidth="2" className={cx('group-focus-visible:stroke-focus', chosen ? 'stroke-accent' : 'stroke-line-strong')} />
      {edge.label && <text aria-hidden="true" x={(at.x1 + at.x2) / 2} y={(at.y1 + at.y2) / 2 - 6} textAnchor="middle" paintOrder="stroke" strokeWidth="4" className="fill-muted stroke-surface text-xs">{edge.label}</text>}
    </g>
  )
}
