/** A project's graph as this page edits it. Everything that it does not know about nodes and edges is kept as it is. Pure. */

export interface Node { id: string; label: string; description: string; x: number; y: number; raw: Record<string, unknown> }
export interface Edge { id: string; source: string; target: string; label: string; raw: Record<string, unknown> }
export interface Model { nodes: Node[]; edges: Edge[] }

export const WIDTH = 176
export const HEIGHT = 64
const GAP_X = 280
const GAP_Y = 140

const record = (value: unknown): Record<string, unknown> => (typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {})
const text = (value: unknown): string => (typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '')
const number = (value: unknown): number | null => (typeof value === 'number' && Number.isFinite(value) ? value : null)

/** Reads what the application stored. Nodes without a place get one in a grid; edges that lead nowhere are kept out of sight. */
export function parse(graph: { nodes: readonly unknown[]; edges: readonly unknown[] }): Model {
  const nodes = graph.nodes.map((value, index): Node => {
    const raw = record(value)
    const data = record(raw['data'])
    const position = record(raw['position'])
    const id = text(raw['id']) || `node-${index + 1}`
    return {
      id, raw,
      label: text(data['label']) || text(raw['label']) || text(raw['name']) || id,
      description: text(data['description']) || text(raw['description']),
      x: number(position['x']) ?? (index % 4) * GAP_X, y: number(position['y']) ?? Math.floor(index / 4) * GAP_Y,
    }
  })
  const known = new Set(nodes.map((node) => node.id))
  const edges = graph.edges.map((value, index): Edge => {
    const raw = record(value)
    return { id: text(raw['id']) || `edge-${index + 1}`, source: text(raw['source']), target: text(raw['target']), label: text(raw['label']) || text(record(raw['data'])['label']), raw }
  })
  return { nodes, edges: edges.filter((edge) => known.has(edge.source) && known.has(edge.target)) }
}

/** What is stored: the objects as they were, with what was edited here. */
export function serialise(model: Model): { nodes: Record<string, unknown>[]; edges: Record<string, unknown>[] } {
  return {
    nodes: model.nodes.map(({ id, label, description, x, y, raw }) => ({
      type: 'default', ...raw, id, position: { ...record(raw['position']), x, y },
      data: { ...record(raw['data']), label, ...(description || 'description' in record(raw['data']) ? { description } : {}) },
    })),
    edges: model.edges.map(({ id, source, target, label, raw }) => ({ ...raw, id, source, target, ...(label || 'label' in raw ? { label } : {}) })),
  }
}

function fresh(taken: Iterable<string>, stem: string): string {
  const known = new Set(taken)
  for (let at = 1; ; at += 1) if (!known.has(`${stem}-${at}`)) return `${stem}-${at}`
}

/** Adds a node in a free place: beside the given one, or under everything. */
export function addNode(model: Model, label: string, near?: string): { model: Model; id: string } {
  const id = fresh(model.nodes.map((node) => node.id), 'node')
  const beside = model.nodes.find((node) => node.id === near)
  let x = beside ? beside.x + GAP_X : Math.min(0, ...model.nodes.map((node) => node.x))
  let y = beside ? beside.y : model.nodes.length === 0 ? 0 : Math.max(...model.nodes.map((node) => node.y)) + GAP_Y
  if (model.nodes.length > 0 && !beside) x = Math.min(...model.nodes.map((node) => node.x))
  while (model.nodes.some((node) => Math.abs(node.x - x) < WIDTH && Math.abs(node.y - y) < HEIGHT)) y += GAP_Y
  return { model: { ...model, nodes: [...model.nodes, { id, label, description: '', x, y, raw: {} }] }, id }
}

export function changeNode(model: Model, id: string, change: Partial<Pick<Node, 'label' | 'description' | 'x' | 'y'>>): Model {
  return { ...model, nodes: model.nodes.map((node) => (node.id === id ? { ...node, ...change } : node)) }
}

export function changeEdge(model: Model, id: string, change: Partial<Pick<Edge, 'label'>>): Model {
  return { ...model, edges: model.edges.map((edge) => (edge.id === id ? { ...edge, ...change } : edge)) }
}

/** Removes a node with its edges. */
export function removeNode(model: Model, id: string): Model {
  return { nodes: model.nodes.filter((node) => node.id !== id), edges: model.edges.filter((edge) => edge.source !== id && edge.target !== id) }
}

export function removeEdge(model: Model, id: string): Model {
  return { ...model, edges: model.edges.filter((edge) => edge.id !== id) }
}

/** Connects two nodes, once in each direction, and none with itself. */
export function connect(model: Model, source: string, target: string): Model {
  if (source === target || model.edges.some((edge) => edge.source === source && edge.target === target)) return model
  const id = fresh(model.edges.map((edge) => edge.id), 'edge')
  return { ...model, edges: [...model.edges, { id, source, target, label: '', raw: {} }] }
}

/** The rectangle around everything, with a margin. */
export function bounds(nodes: readonly Node[], margin = 48): { x: number; y: number; width: number; height: number } {
  if (nodes.length === 0) return { x: 0, y: 0, width: 800, height: 400 }
  const left = Math.min(...nodes.map((node) => node.x)) - margin
  const top = Math.min(...nodes.map((node) => node.y)) - margin
  return { x: left, y: top, width: Math.max(...nodes.map((node) => node.x)) + WIDTH + margin - left, height: Math.max(...nodes.map((node) => node.y)) + HEIGHT + margin - top }
}

/** Where the line between two nodes meets their borders. */
export function line(from: Node, to: Node): { x1: number; y1: number; x2: number; y2: number } {
  const a = { x: from.x + WIDTH / 2, y: from.y + HEIGHT / 2 }
  const b = { x: to.x + WIDTH / 2, y: to.y + HEIGHT / 2 }
  const dx = b.x - a.x
  const dy = b.y - a.y
  const scale = Math.max(Math.abs(dx) / (WIDTH / 2 + 3), Math.abs(dy) / (HEIGHT / 2 + 3)) || 1
  return { x1: a.x + dx / scale, y1: a.y + dy / scale, x2: b.x - dx / scale, y2: b.y - dy / scale }
}
