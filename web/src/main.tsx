import './app.css'
import { ApiError } from '@/api/errors'
import { keys } from '@/api/keys'
import { Toasts } from '@/ui'
import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { router } from './router'
import { startTheme } from './shell/theme'

startTheme()

/** A session that ended elsewhere: what to show is decided where the session is read. */
function signedOut(error: unknown): void {
  if (error instanceof ApiError && error.status === 401 && error.code !== 'wrong_credentials') void queries.invalidateQueries({ queryKey: keys.session })
}

const queries: QueryClient = new QueryClient({
  queryCache: new QueryCache({ onError: (error, query) => { if (query.queryKey[0] !== 'session') signedOut(error) } }),
  mutationCache: new MutationCache({ onError: (error) => signedOut(error) }),
  defaultOptions: {
    queries: {
      // The event log says what is old; nothing is loaded again because time passed or a window was shown.
      staleTime: Infinity,
      refetchOnWindowFocus: false,
      refetchOnReconnect: false,
      retry: (failures, error) => failures < 2 && error instanceof ApiError && (error.status === 0 || error.status >= 500),
      retryDelay: (failures) => 400 * 2 ** failures,
    },
    mutations: { retry: false },
  },
})

const place = document.getElementById('root')
if (!place) throw new Error('index.html has no element with the id root')
createRoot(place).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <RouterProvider router={router} />
      <Toasts />
    </QueryClientProvider>
  </StrictMode>,
)
