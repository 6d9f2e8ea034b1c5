/** What stands around every screen of somebody who is signed in. */
import { api } from '@/api/client'
import { keys } from '@/api/keys'
import { cx } from '@/lib/cx'
import { loadWhenIdle } from '@/lib/idle'
import { useLive, useLiveReady } from '@/live/context'
import { Icon, IconButton, loadMenu, Menu, type MenuItem, toast } from '@/ui'
import { useQueryClient } from '@tanstack/react-query'
import { Link, Outlet, useNavigate, useRouterState } from '@tanstack/react-router'
import { lazy, Suspense, useEffect, useState } from 'react'
import { ConnectionPill } from './ConnectionPill'
import { useHotkeys } from './hotkeys'
import { NewVersion } from './NewVersion'
import { useNotices } from './notices'
import { screens } from './screens'
import { announceSignOut, isAdmin, useSession } from './session'
import { SummaryLine, useSummary } from './summary'
import { setTheme, type Theme, useTheme } from './theme'

// Not part of the first load.
const loadHelp = () => import('./Help')
const loadPalette = () => import('./Palette')
const Notices = lazy(() => import('./Notices'))
const Help = lazy(loadHelp)
const Palette = lazy(loadPalette)

/** How many places the bar of a phone shows; the others are behind its last one. */
const ON_A_PHONE = 4

export function Shell() {
  const [help, setHelp] = useState(false)
  const [palette, setPalette] = useState(false)
  const navigate = useNavigate()
  const ready = useLiveReady()
  const notices = useNotices()
  useEffect(() => loadWhenIdle(loadMenu, loadHelp, loadPalette), [])
  useHotkeys('Everywhere', [
    { key: 'mod+k', about: 'Go to a screen, project or ticket', run: () => setPalette(true) },
    { key: '?', about: 'Show this help', run: () => setHelp(true) },
    { key: 'B', about: 'Board', run: () => void navigate({ to: '/board' }) },
    { key: 'I', about: 'Inbox', run: () => void navigate({ to: '/inbox' }) },
    { key: 'F', about: 'Fleet', run: () => void navigate({ to: '/fleet' }) },
    { key: 'O', about: 'Work orders', run: () => void navigate({ to: '/orders' }) },
    { key: 'S', about: 'Schedules', run: () => void navigate({ to: '/schedules' }) },
  ])
  return (
    <div className="flex min-h-dvh flex-col lg:flex-row">
      <a href="#main" className="sr-only focus:not-sr-only focus:fixed focus:top-2 focus:left-2 focus:z-50 focus:rounded focus:bg-raised focus:px-3 focus:py-2">Skip to the content</a>
      <SideBar />
      <div className="flex min-w-0 grow flex-col pb-16 lg:pb-0">
        <header className="sticky top-0 z-30 flex h-12 items-center gap-2 border-b bg-paper px-3 lg:px-5">
          <Link to="/board" aria-label="Terarchitect" className="lg:hidden"><Logo /></Link>
          <div className="min-w-0 grow"><SummaryLine /></div>
          <ConnectionPill />
          <IconButton icon="search" label="Go to (Ctrl+K)" onClick={() => setPalette(true)} />
          <IconButton icon="help" label="Keyboard (?)" className="max-lg:hidden" onClick={() => setHelp(true)} />
          <PersonMenu onHelp={() => setHelp(true)} />
        </header>
        <NewVersion />
        <main id="main" tabIndex={-1} className="flex min-w-0 grow flex-col outline-none">
          {ready && <Suspense fallback={null}><Outlet /></Suspense>}
        </main>
      </div>
      <BottomBar />
      <Suspense fallback={null}>
        {ready && notices === 'on' && <Notices />}
        {help && <Help onClose={() => setHelp(false)} />}
        {palette && <Palette onClose={() => setPalette(false)} />}
      </Suspense>
    </div>
  )
}

function Logo() {
  return <img src="/favicon.svg" alt="" width="28" height="28" className="size-7" />
}

function useScreens() {
  const session = useSession()
  const needYou = useSummary()?.need_person ?? 0
  const path = useRouterState({ select: (state) => state.location.pathname })
  const here = /^\/projects\/[^/]+\/(board|tickets)/.test(path) ? '/board' : `/${path.split('/')[1] ?? ''}`
  return screens
    .filter((screen) => !screen.admin || isAdmin(session))
    .map((screen) => ({ ...screen, here: screen.to === here, count: screen.to === '/inbox' ? needYou : 0 }))
}

function SideBar() {
  const places = useScreens()
  return (
    <nav aria-label="Main" className="sticky top-0 hidden h-dvh w-48 shrink-0 flex-col gap-0.5 border-r bg-paper p-3 lg:flex">
      <Link to="/board" className="mb-4 flex items-center gap-2 px-1 text-ink no-underline"><Logo /><span className="text-base font-bold tracking-tight">Terarchitect</span></Link>
      {places.map((place) => (
        <Link
          key={place.to} to={place.to} aria-current={place.here ? 'page' : undefined}
          className={cx('flex h-9 items-center gap-2.5 rounded-md px-2.5 text-sm font-medium no-underline', place.here ? 'bg-accent-soft text-accent' : 'text-ink hover:bg-hover')}
        >
          <Icon name={place.icon} />
          <span className="grow">{place.title}</span>
          {place.count > 0 && <Count count={place.count} />}
        </Link>
      ))}
    </nav>
  )
}

function Count({ count }: { count: number }) {
  return (
    <span className="rounded-full bg-accent px-1.5 text-2xs font-bold text-on-accent tabular">
      {count}<span className="sr-only"> {count === 1 ? 'needs' : 'need'} you</span>
    </span>
  )
}

function BottomBar() {
  const places = useScreens()
  const navigate = useNavigate()
  const rest = places.slice(ON_A_PHONE)
  const item = 'relative flex h-14 min-w-0 grow basis-0 flex-col items-center justify-center gap-0.5 text-2xs font-medium no-underline'
  return (
    <nav aria-label="Main" className="fixed inset-x-0 bottom-0 z-30 flex border-t bg-paper pb-[env(safe-area-inset-bottom)] lg:hidden">
      {places.slice(0, ON_A_PHONE).map((place) => (
        <Link key={place.to} to={place.to} aria-current={place.here ? 'page' : undefined} className={cx(item, place.here ? 'text-accent' : 'text-muted')}>
          <Icon name={place.icon} className="size-5" />
          {place.title}
          {place.count > 0 && <span className="absolute top-1 left-1/2 ml-1.5"><Count count={place.count} /></span>}
        </Link>
      ))}
      <Menu
        trigger={<button type="button" className={cx(item, rest.some((place) => place.here) ? 'text-accent' : 'text-muted')}><Icon name="menu" className="size-5" />More</button>}
        groups={[rest.map((place) => ({ label: place.title, icon: place.icon, onSelect: () => void navigate({ to: place.to }) }))]}
      />
    </nav>
  )
}

const themes: { theme: Theme; label: string; icon: MenuItem['icon'] }[] = [
  { theme: 'light', label: 'Light', icon: 'sun' },
  { theme: 'dark', label: 'Dark', icon: 'moon' },
  { theme: 'system', label: 'As the system', icon: 'system' },
]

function PersonMenu({ onHelp }: { onHelp: () => void }) {
  const session = useSession()
  const theme = useTheme()
  const live = useLive()
  const queries = useQueryClient()
  const navigate = useNavigate()
  const signOut = async () => {
    try {
      await api.delete('/api/session')
      announceSignOut()
      // The gate leads to the sign-in as soon as the session says so, in every tab.
      await queries.invalidateQueries({ queryKey: keys.session })
      live.restart()
      queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'session' })
    } catch (error) {
      toast.failed('You are still signed in.', error)
    }
  }
  const name = session.person?.name || session.person?.email || (session.as === 'local' ? 'This machine' : 'API key')
  const groups: MenuItem[][] = [
    themes.map(({ theme: one, label, icon }) => ({ label, ...(icon ? { icon } : {}), chosen: one === theme, onSelect: () => setTheme(one) })),
    [{ label: 'Keyboard', icon: 'help', shortcut: '?', onSelect: onHelp }],
  ]
  if (session.person) groups.push([{ label: 'Your account', icon: 'person', onSelect: () => void navigate({ to: '/people', search: { show: 'account' } }) }, { label: 'Sign out', icon: 'signout', onSelect: () => void signOut() }])
  return <Menu label={name} trigger={<IconButton icon="person" label={`${name}: theme and account`} />} groups={groups} />
}
