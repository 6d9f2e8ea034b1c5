/** Every address of the page. Screens are loaded when they are opened; each lives in its own folder under `screens/`. */
import { ApiError } from './api/errors'
import { buttonClass, EmptyState, ErrorNote, Screen } from '@/ui'
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Link, redirect } from '@tanstack/react-router'
import type { AuditFilters } from '@/api/contract'
import type { DeliveryFilters } from './screens/deliveries/words'
import type { OrderFilters } from './parts/orders'
import { Gate } from './shell/Gate'
import { Shell } from './shell/Shell'

const root = createRootRoute({
  component: Gate,
  notFoundComponent: () => (
    <main>
      <Screen title="Not found">
        <EmptyState icon="search" title="There is nothing at this address." action={<Link to="/board" className={buttonClass()}>Open the board</Link>}>
          What it showed may have been deleted, or the link is incomplete.
        </EmptyState>
      </Screen>
    </main>
  ),
})

const shell = createRoute({ getParentRoute: () => root, id: 'shell', component: Shell })

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)

// For people who are not signed in.
const signIn = createRoute({
  getParentRoute: () => root, path: '/sign-in',
  validateSearch: (search: Record<string, unknown>): { return_to?: string; error?: string } => ({
    ...(text(search['return_to']) ? { return_to: text(search['return_to']) } : {}), ...(text(search['error']) ? { error: text(search['error']) } : {}),
  }),
  component: lazyRouteComponent(() => import('./screens/sign-in/SignIn')),
})
const link = createRoute({ getParentRoute: () => root, path: '/link', component: lazyRouteComponent(() => import('./screens/link/Link')) })
// For people who are signed in, and came from a terminal.
const device = createRoute({
  getParentRoute: () => root, path: '/device',
  validateSearch: (search: Record<string, unknown>): { code?: string } => (text(search['code']) ? { code: text(search['code']) } : {}),
  component: lazyRouteComponent(() => import('./screens/device/Device')),
})

// Inside of the shell.
const home = createRoute({ getParentRoute: () => shell, path: '/', component: lazyRouteComponent(() => import('./screens/board/Home')) })
const lastBoard = createRoute({ getParentRoute: () => shell, path: '/board', component: lazyRouteComponent(() => import('./screens/board/Home')) })
const firstStart = createRoute({ getParentRoute: () => shell, path: '/start', component: lazyRouteComponent(() => import('./screens/first-start/FirstStart')) })
const board = createRoute({
  getParentRoute: () => shell, path: '/projects/$projectId/board',
  validateSearch: (search: Record<string, unknown>): { find?: string; state?: string } => ({
    ...(text(search['find']) ? { find: text(search['find']) } : {}), ...(text(search['state']) ? { state: text(search['state']) } : {}),
  }),
  component: lazyRouteComponent(() => import('./screens/board/Board')),
})
const ticket = createRoute({
  getParentRoute: () => shell, path: '/projects/$projectId/tickets/$ticketId',
  validateSearch: (search: Record<string, unknown>): { show?: string } => ({ ...(text(search['show']) ? { show: text(search['show']) } : {}) }),
  component: lazyRouteComponent(() => import('./screens/ticket/Ticket')),
})
const inbox = createRoute({ getParentRoute: () => shell, path: '/inbox', component: lazyRouteComponent(() => import('./screens/inbox/Inbox')) })
// Where the agent worker's guide has what waits for a person.
const checkpoints = createRoute({ getParentRoute: () => shell, path: '/admin/agent-checkpoints', beforeLoad: () => { throw redirect({ to: '/inbox', replace: true }) } })
const fleet = createRoute({ getParentRoute: () => shell, path: '/fleet', component: lazyRouteComponent(() => import('./screens/fleet/Fleet')) })
const shown = (search: Record<string, unknown>): { show?: string } => ({ ...(text(search['show']) ? { show: text(search['show']) } : {}) })
const projects = createRoute({ getParentRoute: () => shell, path: '/projects', component: lazyRouteComponent(() => import('./screens/projects/Projects')) })
const project = createRoute({ getParentRoute: () => shell, path: '/projects/$projectId', validateSearch: shown, component: lazyRouteComponent(() => import('./screens/project/Project')) })
const settings = createRoute({ getParentRoute: () => shell, path: '/settings', validateSearch: shown, component: lazyRouteComponent(() => import('./screens/settings/Settings')) })
const people = createRoute({ getParentRoute: () => shell, path: '/people', validateSearch: shown, component: lazyRouteComponent(() => import('./screens/people/People')) })
const orders = createRoute({
  getParentRoute: () => shell, path: '/orders',
  validateSearch: (search: Record<string, unknown>): OrderFilters =>
    Object.fromEntries((['status', 'source', 'repo_id'] as const).flatMap((name) => (text(search[name]) ? [[name, text(search[name])]] : []))),
  component: lazyRouteComponent(() => import('./screens/orders/Orders')),
})
const newOrder = createRoute({ getParentRoute: () => shell, path: '/orders/new', component: lazyRouteComponent(() => import('./screens/orders/NewOrder')) })
const order = createRoute({ getParentRoute: () => shell, path: '/orders/$orderId', component: lazyRouteComponent(() => import('./screens/orders/Order')) })
const schedules = createRoute({ getParentRoute: () => shell, path: '/schedules', component: lazyRouteComponent(() => import('./screens/schedules/Schedules')) })
const newSchedule = createRoute({
  getParentRoute: () => shell, path: '/schedules/new',
  validateSearch: (search: Record<string, unknown>): { template?: string } => (text(search['template']) ? { template: text(search['template']) } : {}),
  component: lazyRouteComponent(() => import('./screens/schedules/NewSchedule')),
})
const schedule = createRoute({ getParentRoute: () => shell, path: '/schedules/$scheduleId', validateSearch: shown, component: lazyRouteComponent(() => import('./screens/schedules/Schedule')) })
const deliveries = createRoute({
  getParentRoute: () => shell, path: '/deliveries',
  validateSearch: (search: Record<string, unknown>): DeliveryFilters =>
    Object.fromEntries((['state', 'project_id'] as const).flatMap((name) => (text(search[name]) ? [[name, text(search[name])]] : []))),
  component: lazyRouteComponent(() => import('./screens/deliveries/Deliveries')),
})
const audit = createRoute({
  getParentRoute: () => shell, path: '/audit',
  validateSearch: (search: Record<string, unknown>): AuditFilters =>
    Object.fromEntries((['actor', 'kind', 'project_id', 'ticket_id', 'from', 'until'] as const).flatMap((name) => (text(search[name]) ? [[name, text(search[name])]] : []))),
  component: lazyRouteComponent(() => import('./screens/audit/Audit')),
})

export const router = createRouter({
  routeTree: root.addChildren([signIn, link, device, shell.addChildren([home, lastBoard, firstStart, board, ticket, inbox, checkpoints, fleet, projects, project, orders, newOrder, order, schedules, newSchedule, schedule, settings, deliveries, people, audit])]),
  defaultPreload: 'intent',
  // A part of the page that could not be loaded is not asked for again by the browser: only a reload helps.
  defaultErrorComponent: ({ error, reset }) => <Screen title="Something went wrong"><ErrorNote error={error} onRetry={error instanceof ApiError ? reset : () => window.location.reload()} /></Screen>,
})

declare module '@tanstack/react-router' {
  interface Register { router: typeof router }
}
