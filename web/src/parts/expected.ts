/** What tickets like this one used, in a sentence. Pure. */
import type { ExpectedUsage } from '@/api/types'
import { plural } from '@/lib/time'

type Amounts = NonNullable<ExpectedUsage['tokens']>

const tokens = (count: number) => plural(Math.round(count), 'token', 'tokens')
const dollars = (amount: number) => `$${amount.toFixed(2)}`
const minutes = (count: number) => (count < 1 ? 'less than 1 min' : `${Math.round(count).toLocaleString('en')} min`)

export function expectedOf(expected: ExpectedUsage): string {
  const { tickets } = expected
  const whose = expected.like === 'agent' ? 'of the same agent' : 'of this project'
  const both = (amounts: Amounts | null | undefined, words: (amount: number) => string) => (amounts ? [`${words(amounts.median)} (median), ${words(amounts.p90)} (90 %)`] : [])
  const parts = [...both(expected.tokens, tokens), ...both(expected.cost_usd, dollars), ...both(expected.minutes, minutes)]
  if (parts.length === 0) return `What it may use is not known yet: ${tickets === 0 ? 'no ticket' : `only ${plural(tickets, 'ticket')}`} ${whose} ${tickets > 1 ? 'are' : 'is'} completed, and a number needs five that were counted.`
  return `${plural(tickets, 'ticket')} ${whose} used ${parts.join('; ')}.`
}
