import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Visitor, inspectAll } from '../browser.mjs'

const PROVIDER = fileURLToPath(new URL('../../../api/tests/oidc/provider.mjs', import.meta.url))

/** npm's oidc-provider, as the API's own tests run it. It signs in whom `next` named last. */
async function startProvider(url) {
  const child = spawn(process.execPath, [PROVIDER, `${url}/api/oidc/callback`], { stdio: ['ignore', 'pipe', 'ignore'] })
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith('http://')) continue
    child.stdout.resume()
    const next = async (sub, claims) => {
      const response = await fetch(`${line}/next`, { method: 'POST', body: JSON.stringify({ sub, claims }) })
      assert.ok(response.ok, 'the provider knows who is next')
    }
    return { issuer: line, next, stop: async () => { child.kill(); await once(child, 'exit') } }
  }
  throw new Error('the OpenID Connect provider did not start; scripts/lib/oidc-provider installs it')
}

/** Who has an account there signs in with one click, and comes back to where the way began; a group gives the role. */
async function signInElsewhere(world) {
  const { system } = world
  const provider = await startProvider(system.url)
  const settings = {
    TERARCHITECT_PUBLIC_URL: system.url, TERARCHITECT_OIDC_ISSUER: provider.issuer, TERARCHITECT_OIDC_CLIENT_ID: 'board',
    TERARCHITECT_OIDC_CLIENT_SECRET: 'secret-of-the-tests', TERARCHITECT_OIDC_NAME: 'Example', TERARCHITECT_OIDC_ROLES: 'board-readers=viewer',
  }
  try {
    await system.api.stop()
    await system.startApi(settings)
    await provider.next('linus', { email: 'linus@example.com', email_verified: true, name: 'Linus', groups: ['board-readers'] })
    const visitor = await Visitor.enter(world.browser, system.url, { screenshots: world.screenshots })
    visitor.elsewhere = (address) => address.origin === provider.issuer
    const page = await visitor.open('/fleet')
    const way = page.getByRole('link', { name: 'Sign in with Example' })
    await way.waitFor()
    await inspectAll(page, 'sign-in-provider', visitor)
    await way.click()
    await page.getByRole('heading', { name: 'Fleet' }).waitFor()
    await page.getByRole('button', { name: /Linus/ }).first().waitFor()
    const known = (await system.call('GET', '/api/people')).find(({ email }) => email === 'linus@example.com')
    assert.equal(known.role, 'viewer')
    await visitor.leave()

    await provider.next('mallory', { email: 'mallory@example.com', email_verified: true, name: 'Mallory', groups: ['others'] })
    const stranger = await Visitor.enter(world.browser, system.url, { screenshots: world.screenshots })
    stranger.elsewhere = (address) => address.origin === provider.issuer
    const refused = await stranger.open('/sign-in')
    await refused.getByRole('link', { name: 'Sign in with Example' }).click()
    await refused.getByRole('alert').first().waitFor()
    await inspectAll(refused, 'sign-in-provider-refused', stranger)
    assert.equal((await system.call('GET', '/api/people')).some(({ email }) => email === 'mallory@example.com'), false)
    await stranger.leave()
  } finally {
    await system.api.stop()
    await system.startApi(Object.fromEntries(Object.keys(settings).map((name) => [name, undefined])))
    await provider.stop()
  }
}

export default [['a person signs in at an OpenID Connect provider; whom no group lets in is refused', signInElsewhere]]
