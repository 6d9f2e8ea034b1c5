import './app.css'
import { ApiError } from '@/api/errors'
import { keys } from '@/api/keys'
import { Toasts } from '@/ui'
import { QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { router } from './router'
import { startTheme } from './shell/theme'

startTheme()

const queries = new QueryClient({
  queryCache: new QueryCache({
    // A session that ended elsewhere: what to show is decided where the session is read.
    onError: (error, query) => {
      if (error instanceof ApiError && error.status === 401 && query.queryKey[0] !== 'session') {
        void queries.invalidateQueries({ queryKey: keys.session })
      }
    },
  }),
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
