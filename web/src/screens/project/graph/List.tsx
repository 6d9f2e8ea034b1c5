/** The same graph as lists: nothing here needs eyes or a pointer. */
import { Button, Table } from '@/ui'
import type { GraphParts } from './Canvas'

export function List({ model, may, onChoose, onRemove }: GraphParts) {
  const label = (id: string) => model.nodes.find((one) => one.id === id)?.label ?? id
  return (
    <div className="flex min-w-0 flex-col gap-4">
      <div className="rounded-lg border bg-surface max-sm:p-4">
        <Table
          caption="Parts" rows={model.nodes} id={(node) => node.id}
          columns={[
            { title: 'Part', className: 'min-w-32', cell: (node) => <button type="button" className="min-h-7 text-left font-medium text-accent underline" onClick={() => onChoose({ kind: 'node', id: node.id })}>{node.label || 'Part without a name'}</button> },
            { title: 'What it is', className: 'min-w-36', cell: (node) => node.description },
            { title: 'Leads to', className: 'min-w-36', cell: (node) => model.edges.filter((edge) => edge.source === node.id).map((edge) => label(edge.target)).join(', ') },
            ...(may ? [{ title: 'Change', cell: (node: { id: string; label: string }) => <Button size="small" kind="danger" onClick={() => onRemove({ kind: 'node', id: node.id })}>Remove<span className="sr-only"> {node.label}</span></Button> }] : []),
          ]}
        />
      </div>
      {model.edges.length > 0 && (
        <div className="rounded-lg border bg-surface max-sm:p-4">
          <Table
            caption="Connections" rows={model.edges} id={(edge) => edge.id}
            columns={[
              { title: 'From', className: 'min-w-28', cell: (edge) => label(edge.source) },
              { title: 'To', className: 'min-w-28', cell: (edge) => label(edge.target) },
              { title: 'What it means', cell: (edge) => edge.label },
              ...(may ? [{ title: 'Change', className: 'min-w-40', cell: (edge: { id: string; source: string; target: string }) => <span className="flex flex-wrap gap-2"><Button size="small" onClick={() => onChoose({ kind: 'edge', id: edge.id })}>Edit<span className="sr-only"> the connection from {label(edge.source)} to {label(edge.target)}</span></Button><Button size="small" kind="danger" onClick={() => onRemove({ kind: 'edge', id: edge.id })}>Remove<span className="sr-only"> the connection from {label(edge.source)} to {label(edge.target)}</span></Button></span> }] : []),
            ]}
          />
        </div>
      )}
    </div>
  )
}
