/** Words about forges, and what a webhook of each one has to send. Pure. */
import type { Delivery, WebhookSecret } from '@/api/contract'
import type { IconName, Tone } from '@/ui'

export type Sender = WebhookSecret['sender']

export const senders: Record<Sender, string> = { github: 'GitHub', gitlab: 'GitLab', gitea: 'Gitea or Forgejo' }

/** The events that a webhook has to send, in the words of each forge's own page. */
export const eventsOf: Record<Sender, string> = {
  github: 'Pull requests, pull request reviews and their comments, issue comments, issues, check runs, check suites, statuses, pushes; content type application/json',
  gitlab: 'Merge request events, comments, issue events, job events, pipeline events, push events',
  gitea: 'Pull requests with their reviews, comments and synchronisations, issues and their comments and labels, pushes, and statuses where it has them',
}

/** Where a webhook sends to. */
export function hookPath(sender: Sender, projectId: string | null): string {
  return `/webhooks/${sender}${projectId ? `/${projectId}` : ''}`
}

/** The latest delivery of a sender, of a list with the latest first. */
export function lastOf(deliveries: Pick<Delivery, 'sender' | 'received_at'>[], sender: Sender): string | null {
  return deliveries.find((delivery) => delivery.sender === sender)?.received_at ?? null
}

export const deliveryLooks: Record<Delivery['state'], { word: string; tone: Tone; icon: IconName }> = {
  waiting: { word: 'Waiting', tone: 'wait', icon: 'waiting' },
  done: { word: 'Done', tone: 'good', icon: 'done' },
  ignored: { word: 'Ignored', tone: 'quiet', icon: 'minus' },
  failed: { word: 'Failed', tone: 'bad', icon: 'failed' },
}

/** The host in an address, as credentials name it; empty where there is none. */
export function hostOf(address: string | null): string {
  if (!address || !URL.canParse(address)) return ''
  return new URL(address).host.replace(/^www\.github\.com$/, 'github.com')
}
