import type { Delivery } from '@/api/contract'
import { plural } from '@/lib/time'

export interface DeliveryFilters { state?: string; project_id?: string }

/** How often it was tried, where that says something. */
export function lateNote(row: Pick<Delivery, 'state' | 'tries'>): string | null {
  return (row.state === 'waiting' || row.state === 'failed') && row.tries > 0 ? `tried ${plural(row.tries, 'time')}` : null
}
