import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { signedIn } from '../people.mjs'

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

/** nginx as Debian installs it: all that is said is where to pass requests on to. */
async function startNginx({ dir, url }, port) {
  const own = join(dir, 'nginx')
  mkdirSync(own, { recursive: true })
  writeFileSync(join(own, 'nginx.conf'), `
    pid ${own}/pid; error_log ${own}/error.log; daemon off;
    events {}
    http {
      access_log off;
      client_body_temp_path ${own}/body; proxy_temp_path ${own}/proxy;
      fastcgi_temp_path ${own}/f; uwsgi_temp_path ${own}/u; scgi_temp_path ${own}/s;
      server { listen 127.0.0.1:${port}; location / { proxy_pass ${url}; } }
    }`)
  const nginx = spawn('nginx', ['-p', own, '-c', join(own, 'nginx.conf')], { stdio: 'ignore', env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` } })
  for (let tries = 0; tries < 100; tries += 1) {
    if (await fetch(`http://127.0.0.1:${port}/health`).then((response) => response.ok, () => false)) return nginx
    await sleep(50)
  }
  throw new Error('nginx did not start')
}

/** Signs in, works and stays live through it, with nothing set but where to pass requests on to. */
async function behindNginx(world) {
  const { system } = world
  const port = await freePort()
  const base = `http://127.0.0.1:${port}`
  const nginx = await startNginx(system, port)
  try {
    const visitor = await signedIn(world, { base })
    const page = await visitor.open(`/projects/${world.project.id}/board`)
    await page.getByRole('status').filter({ hasText: 'Live' }).waitFor()
    await system.call('POST', `/api/projects/${world.project.id}/tickets`, { title: 'Seen behind nginx', column_id: 'backlog' })
    await page.getByText('Seen behind nginx').first().waitFor()
    await page.keyboard.press('c')
    await page.getByRole('dialog').getByLabel(/title/i).fill('Made behind nginx')
    await page.getByRole('dialog').getByRole('button', { name: 'Create', exact: true }).click()
    await page.getByText('Made behind nginx').first().waitFor()
    await visitor.leave()
  } finally {
    nginx.kill('SIGTERM')
    await once(nginx, 'exit')
  }
}

export default [['behind nginx with its defaults', behindNginx]]
