import { describe, expect, it } from 'vitest'
import { addNode, bounds, changeNode, connect, line, parse, removeNode, serialise } from './model'

const stored = {
  nodes: [{ id: 'a', type: 'box', color: 'red', position: { x: 1, y: 2, z: 3 }, data: { label: 'A', owner: 'x' } }, { id: 'b', data: { label: 'B' } }],
  edges: [{ id: 'e', source: 'a', target: 'b', animated: true }, { id: 'dangling', source: 'a', target: 'gone' }],
}

describe('the graph', () => {
  it('keeps what it does not know', () => {
    const out = serialise(changeNode(parse(stored), 'a', { label: 'AA', x: 10 }))
    expect(out.nodes[0]).toEqual({ id: 'a', type: 'box', color: 'red', position: { x: 10, y: 2, z: 3 }, data: { label: 'AA', owner: 'x' } })
    expect(out.edges).toEqual([{ id: 'e', source: 'a', target: 'b', animated: true }])
  })
  it('reads strange objects without failing', () => {
    const model = parse({ nodes: [null, 3, { id: 7 }, { name: 'N' }], edges: [null] })
    expect(model.nodes.map((node) => node.label)).toEqual(['node-1', 'node-2', '7', 'N'])
    expect(model.edges).toEqual([])
  })
  it('removes a node with its edges and connects once', () => {
    const model = parse(stored)
    expect(removeNode(model, 'b').edges).toEqual([])
    expect(connect(model, 'a', 'b')).toBe(model)
    expect(connect(model, 'a', 'a')).toBe(model)
    expect(connect(model, 'b', 'a').edges).toHaveLength(2)
  })
  it('adds nodes where nothing is', () => {
    let model = parse(stored)
    for (let at = 0; at < 5; at += 1) model = addNode(model, `N${at}`, 'a').model
    const places = new Set(model.nodes.map((node) => `${node.x},${node.y}`))
    expect(places.size).toBe(model.nodes.length)
    expect(new Set(model.nodes.map((node) => node.id)).size).toBe(model.nodes.length)
  })
  it('has bounds, also when it is empty', () => {
    expect(bounds([]).width).toBeGreaterThan(0)
    expect(bounds(parse(stored).nodes).width).toBeGreaterThan(200)
  })
  it('draws lines between borders, and none that is not a number', () => {
    const [a, b] = parse(stored).nodes
    if (!a || !b) throw new Error('two nodes')
    expect(Object.values(line(a, { ...a, id: 'c' })).every(Number.isFinite)).toBe(true)
    expect(line(a, b).x1).toBeGreaterThan(a.x)
  })
})
