/** Words about work orders. Pure. */
import type { OrderSource, OrderStatus, ScheduleRun, WorkOrder, WorkOrderLine } from '@/api/contract'
import type { IconName, Tone } from '@/ui'

export interface OrderFilters { status?: string; source?: string; repo_id?: string }

interface Look { word: string; tone: Tone; icon: IconName }

export const statusLooks: Record<OrderStatus, Look> = {
  pending: { word: 'Pending', tone: 'wait', icon: 'waiting' },
  running: { word: 'Running', tone: 'run', icon: 'turn' },
  completed: { word: 'Completed', tone: 'good', icon: 'done' },
  failed: { word: 'Failed', tone: 'bad', icon: 'failed' },
  cancelled: { word: 'Cancelled', tone: 'quiet', icon: 'cancelled' },
}

/** How a run of a schedule looks: as its order does, or as a time that passed. */
export const runLooks: Record<ScheduleRun['status'], Look> = {
  pending: statusLooks.pending, running: statusLooks.running, completed: statusLooks.completed, failed: statusLooks.failed,
  skipped: { word: 'Skipped', tone: 'quiet', icon: 'minus' },
}

export const sources: Record<OrderSource, string> = { cloud: 'launched', local: 'worked on elsewhere', job: 'a schedule' }

/** The first line of what is to be reached: orders have no title of their own. */
export function titleOf(order: Pick<WorkOrder, 'objective'>): string {
  return order.objective.split('\n').map((line) => line.trim()).find(Boolean) ?? 'Work order'
}

/** Where it begins, if that is known here: `main` is what each repository has until another branch is named, and its forge may have another. */
export function branchOf(order: { branch_name: string | null; default_branch: string }): string | null {
  return order.branch_name ?? (order.default_branch === 'main' ? null : order.default_branch)
}

export function isOver(status: OrderStatus): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled'
}

/** Whether launching it would do something: it never began here, could not begin, or has ended. */
export function canLaunch(order: Pick<WorkOrder, 'status' | 'source' | 'launch_error'>): boolean {
  return isOver(order.status) || order.launch_error !== null || (order.source === 'local' && order.status === 'pending')
}

export function isOpen(line: Pick<WorkOrderLine, 'status'>): boolean {
  return line.status !== 'completed' && line.status !== 'skipped'
}

/** `2 of 5 done`; null where there are no lines. */
export function progress(lines: readonly Pick<WorkOrderLine, 'status'>[]): string | null {
  return lines.length === 0 ? null : `${lines.filter((line) => !isOpen(line)).length} of ${lines.length} done`
}
