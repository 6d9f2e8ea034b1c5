import type { IconName } from '@/ui'

/** The places of the navigation, in its order. */
export const screens = [
  { to: '/board', title: 'Board', icon: 'board', admin: false },
  { to: '/inbox', title: 'Inbox', icon: 'inbox', admin: false },
  { to: '/fleet', title: 'Fleet', icon: 'fleet', admin: false },
  { to: '/projects', title: 'Projects', icon: 'projects', admin: false },
  { to: '/orders', title: 'Work orders', icon: 'plan', admin: false },
  { to: '/schedules', title: 'Schedules', icon: 'waiting', admin: false },
  { to: '/settings', title: 'Settings', icon: 'settings', admin: false },
  { to: '/deliveries', title: 'Deliveries', icon: 'link', admin: true },
  { to: '/people', title: 'People', icon: 'people', admin: true },
  { to: '/audit', title: 'Audit', icon: 'audit', admin: true },
] as const satisfies readonly { to: string; title: string; icon: IconName; admin: boolean }[]
