// How people come in.
import { Visitor } from './browser.mjs'

/** A browser of its own in which this person (else the admin) is signed in. */
export async function signedIn(world, { person = world.admin, base = world.system.url, ...options } = {}) {
  const visitor = await Visitor.enter(world.browser, base, { screenshots: world.screenshots, ...options })
  const response = await visitor.context.request.post(`${base}/api/session`, {
    data: { email: person.email, password: person.password },
    headers: { origin: base, 'sec-fetch-site': 'same-origin' },
  })
  if (!response.ok()) throw new Error(`${person.email} could not sign in: ${response.status()} ${await response.text()}`)
  return visitor
}
