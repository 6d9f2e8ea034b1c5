/** What is chosen in the graph, to read and to edit. */
import { Button, Card, Field, Input, Kbd, Select, Textarea } from '@/ui'
import type { GraphParts } from './Canvas'
import { changeEdge, changeNode, connect, type Edge, type Node } from './model'

export function Panel(props: GraphParts) {
  const { model, chosen, may } = props
  const node = chosen?.kind === 'node' ? model.nodes.find((one) => one.id === chosen.id) : undefined
  const edge = chosen?.kind === 'edge' ? model.edges.find((one) => one.id === chosen.id) : undefined
  if (node) return <NodePanel key={node.id} node={node} {...props} />
  if (edge) return <EdgePanel key={edge.id} edge={edge} {...props} />
  return (
    <Card title="Nothing is chosen">
      <p className="text-sm text-muted">Choose a part to see what it is.</p>
      {may && (
        <dl className="mt-3 grid grid-cols-[auto_1fr] items-center gap-x-3 gap-y-1.5 text-xs text-muted max-md:hidden">
          {[['n', 'add a part'], ['Tab', 'go to the next part or connection'], ['Enter', 'choose it'], ['← ↑ → ↓', 'move the part'], ['c', 'connect it with another one'], ['Del', 'remove it'], ['Ctrl Z', 'undo']].map(([key, about]) => (
            <div key={key} className="contents"><dt><Kbd>{key}</Kbd></dt><dd>{about}</dd></div>
          ))}
        </dl>
      )}
    </Card>
  )
}

function NodePanel({ node, model, may, onChange, onChoose, onConnecting, onRemove }: GraphParts & { node: Node }) {
  const label = (id: string) => model.nodes.find((one) => one.id === id)?.label ?? id
  const edges = model.edges.filter((edge) => edge.source === node.id || edge.target === node.id)
  const others = model.nodes.filter((other) => other.id !== node.id && !model.edges.some((edge) => edge.source === node.id && edge.target === other.id))
  return (
    <Card title={node.label || 'Part without a name'}>
      <div className="flex flex-col gap-3">
        <Field label="Name">{(control) => <Input {...control} disabled={!may} value={node.label} onChange={(event) => onChange(changeNode(model, node.id, { label: event.target.value }), `label ${node.id}`)} />}</Field>
        <Field label="What it is">{(control) => <Textarea {...control} disabled={!may} rows={4} value={node.description} onChange={(event) => onChange(changeNode(model, node.id, { description: event.target.value }), `about ${node.id}`)} />}</Field>
        {edges.length > 0 && (
          <div>
            <h3 className="mb-1 text-sm">Connections</h3>
            <ul className="flex flex-col gap-1">
              {edges.map((edge) => (
                <li key={edge.id}><button type="button" className="min-h-7 text-left text-sm text-accent underline" onClick={() => onChoose({ kind: 'edge', id: edge.id })}>{edge.source === node.id ? `leads to ${label(edge.target)}` : `comes from ${label(edge.source)}`}{edge.label && `: ${edge.label}`}</button></li>
              ))}
            </ul>
          </div>
        )}
        {may && others.length > 0 && (
          <Field label="Connect with">
            {(control) => (
              <Select {...control} value="" onChange={(event) => { if (event.target.value) onChange(connect(model, node.id, event.target.value)) }}>
                <option value="">Choose a part …</option>
                {others.map((other) => <option key={other.id} value={other.id}>{other.label}</option>)}
              </Select>
            )}
          </Field>
        )}
        {may && <div className="flex flex-wrap gap-2"><Button size="small" onClick={() => onConnecting(node.id)}>Connect in the picture</Button><Button size="small" kind="danger" onClick={() => onRemove({ kind: 'node', id: node.id })}>Remove</Button></div>}
      </div>
    </Card>
  )
}

function EdgePanel({ edge, model, may, onChange, onRemove }: GraphParts & { edge: Edge }) {
  const label = (id: string) => model.nodes.find((one) => one.id === id)?.label ?? id
  return (
    <Card title="Connection">
      <div className="flex flex-col gap-3">
        <p className="text-sm">{label(edge.source)} leads to {label(edge.target)}.</p>
        <Field label="What it means">{(control) => <Input {...control} disabled={!may} value={edge.label} onChange={(event) => onChange(changeEdge(model, edge.id, { label: event.target.value }), `edge ${edge.id}`)} />}</Field>
        {may && <div><Button size="small" kind="danger" onClick={() => onRemove({ kind: 'edge', id: edge.id })}>Remove</Button></div>}
      </div>
    </Card>
  )
}
