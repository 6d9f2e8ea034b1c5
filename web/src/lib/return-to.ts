/** Where to go after a sign-in: an address of this page, never one that leads outside. */
export function safeReturn(address: string | undefined, origin: string): string {
  if (!address?.startsWith('/') || !URL.canParse(address, origin)) return '/'
  const url = new URL(address, origin)
  if (url.origin !== origin || url.pathname === '/sign-in' || url.pathname === '/link') return '/'
  return url.pathname + url.search + url.hash
}
