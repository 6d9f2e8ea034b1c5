// A GitHub Enterprise Server of one repository with one pull request, for what people do with it on the page. Its state is a
// plain object that a story changes.
import { createHmac, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'

export const BOT = { token: 'token-of-the-bot', id: 99, login: 'terabot', type: 'User' }
export const ANN = { token: 'token-of-ann', id: 7, login: 'ann', type: 'User' }
const HEAD = '1f2e3d4c5b6a79881f2e3d4c5b6a79881f2e3d4c'

const HUNK = `@@ -12,6 +12,9 @@ impl Greeter {
     /// Says hello to everybody who is here.
     pub fn greet(&self, names: &[String]) -> String {
-        format!("Hello, {}", names.join(", "))
+        let greeting = self.greeting.as_deref().unwrap_or("Hello");
+        format!("{greeting}, {}", names.join(", "))`

function line(id, user, body, more = {}) {
  return {
    id, user, body, path: 'src/greeting/greeter.rs', line: 15, side: 'RIGHT', diff_hunk: HUNK, created_at: '2026-11-02T09:00:00Z',
    html_url: `https://git.example/demo/hello/pull/7#discussion_r${id}`, pull_request_review_id: 31, ...more,
  }
}

/** The pull request as it is at the beginning. */
function world() {
  return {
    head: HEAD, draft: false, state: 'open', merged: false, mergeable_state: 'clean', down: false, resolved: new Set([505]),
    comments: [{ id: 601, user: ANN, body: 'Nice and small. Does it say hello to an empty list, too?\n\nSee https://example.com/style. <b>not bold</b>', created_at: '2026-11-02T08:50:00Z', html_url: 'https://git.example/c/601' }],
    lines: [
      line(501, ANN, 'Please take the greeting from the settings instead; see how `farewell` does it.'),
      line(502, BOT, 'Ada wrote:\n\nWould that not need a migration?', { in_reply_to_id: 501 }),
      line(503, ANN, 'This file has no final newline.', { path: 'README.md', line: 3, diff_hunk: '@@ -1 +1,3 @@\n # Hello\n+\n+Says hello.' }),
      line(505, ANN, 'A word twice.', { path: 'docs/a-folder-with-a-long-name/another-one/hello.md', line: 1, diff_hunk: '@@ -0,0 +1 @@\n+The the greeter.' }),
    ],
    reviews: [{ id: 31, user: ANN, state: 'CHANGES_REQUESTED', body: 'Two small things.', commit_id: HEAD.replace('1f', '0a'), submitted_at: '2026-11-02T09:00:00Z' }],
    runs: [
      { id: 1, name: 'build', status: 'completed', conclusion: 'success', html_url: 'https://git.example/runs/1' },
      { id: 2, name: 'test (linux, stable)', status: 'completed', conclusion: 'failure', html_url: 'https://git.example/runs/2', output: { title: '2 of 318 tests failed' } },
      { id: 3, name: 'docs', status: 'in_progress', conclusion: null },
    ],
  }
}

function pullOf(state) {
  const repo = { full_name: 'demo/hello' }
  return {
    number: 7, html_url: 'https://git.example/demo/hello/pull/7', title: 'Say hello to everybody', body: 'Says hello to everybody who is here, not only to the first one.',
    state: state.state, draft: state.draft, merged: state.merged, updated_at: new Date().toISOString(), user: BOT,
    head: { ref: 'say-hello-to-everybody', sha: state.head, repo }, base: { ref: 'main', sha: '0', repo },
    mergeable: state.mergeable_state === 'clean', mergeable_state: state.mergeable_state,
  }
}

export class GitHub {
  state = world()

  async start() {
    this.server = createServer((request, response) => void this.#serve(request, response))
    this.server.listen(0, '127.0.0.1')
    await once(this.server, 'listening')
    this.host = `127.0.0.1:${this.server.address().port}`
    this.repository = `http://${this.host}/demo/hello`
  }

  async stop() {
    this.server.closeAllConnections()
    this.server.close()
    await once(this.server, 'close')
  }

  /** Delivers an event to the API, signed with this secret. */
  async deliver(api, path, secret, event, body) {
    const text = typeof body === 'string' ? body : JSON.stringify({ ...body, repository: { clone_url: this.repository } })
    const signature = `sha256=${createHmac('sha256', secret).update(text).digest('hex')}`
    const headers = { 'content-type': 'application/json', 'x-github-event': event, 'x-github-delivery': randomBytes(8).toString('hex'), 'x-hub-signature-256': signature }
    const response = await fetch(api + path, { method: 'POST', headers, body: text })
    if (!response.ok) throw new Error(`the webhook got ${response.status}: ${await response.text()}`)
  }

  async #serve(request, response) {
    let text = ''
    for await (const part of request) text += part
    const { status, body } = this.#answer(request, new URL(request.url, 'http://x').pathname, text ? JSON.parse(text) : {})
    response.writeHead(status, { 'content-type': 'application/json', 'x-github-enterprise-version': '3.19.0' })
    response.end(JSON.stringify(body))
  }

  #answer(request, path, body) {
    const { state } = this
    if (state.down) return { status: 503, body: { message: 'down' } }
    if (path === '/api/v3/meta') return { status: 200, body: { verifiable_password_authentication: false } }
    if (!path.startsWith('/api/')) return { status: 404, body: { message: 'Not Found' } }
    const who = [BOT, ANN].find(({ token }) => request.headers.authorization === `Bearer ${token}`)
    if (!who) return { status: 401, body: { message: 'Bad credentials' } }
    const call = `${request.method} ${path.replace(/^\/api(\/v3)?(\/repos\/demo\/hello)?\/?/, '')}`
    return this.#calls(who, body)[call.replace(/commits\/\w+\//, 'commits/sha/')]?.() ?? { status: 404, body: { message: 'Not Found' } }
  }

  #calls(who, body) {
    const { state } = this
    const ok = (value, status = 200) => () => ({ status, body: value })
    const now = new Date().toISOString()
    return {
      'GET user': ok(who),
      'GET pulls/7': () => ({ status: 200, body: pullOf(state) }),
      'GET pulls/7/commits': ok([{ sha: state.head, commit: { message: 'Say hello to everybody', author: { name: 'Agent' } }, html_url: 'https://git.example/c' }]),
      'GET pulls/7/files': ok([{ filename: 'src/greeting/greeter.rs' }, { filename: 'tests/greeter.rs' }]),
      'GET pulls/7/reviews': ok(state.reviews),
      'GET pulls/7/comments': ok(state.lines),
      'GET issues/7/comments': ok(state.comments),
      'GET commits/sha/check-runs': ok({ total_count: state.runs.length, check_runs: state.runs }),
      'GET collaborators/ann/permission': ok({ permission: 'write' }),
      'GET commits/sha/status': ok({ total_count: 0, statuses: [] }),
      'POST graphql': () => {
        const nodes = state.lines.filter((one) => !one.in_reply_to_id).map(({ id }) => ({ isResolved: state.resolved.has(id), comments: { nodes: [{ databaseId: id }] } }))
        return { status: 200, body: { data: { repository: { pullRequest: { reviewThreads: { nodes, pageInfo: { hasNextPage: false } } } } } } }
      },
      'POST issues/7/comments': () => {
        const comment = { id: 700 + state.comments.length, user: who, body: body.body, created_at: now, html_url: 'https://git.example/c' }
        state.comments.push(comment)
        return { status: 201, body: comment }
      },
      'POST pulls/7/comments/501/replies': () => {
        const reply = line(800 + state.lines.length, who, body.body, { in_reply_to_id: 501, created_at: now })
        state.lines.push(reply)
        return { status: 201, body: reply }
      },
      'POST pulls/7/reviews': () => {
        if (who === BOT) return { status: 422, body: { message: 'Review Can not approve your own pull request' } }
        const review = { id: 40, user: who, state: 'APPROVED', body: body.body, commit_id: body.commit_id, submitted_at: now }
        state.reviews.push(review)
        return { status: 200, body: review }
      },
      'PUT pulls/7/merge': () => {
        if (body.sha !== state.head) return { status: 409, body: { message: 'Head branch was modified. Review and try the merge again.' } }
        if (state.mergeable_state !== 'clean') return { status: 405, body: { message: 'Pull Request is not mergeable' } }
        Object.assign(state, { merged: true, state: 'closed' })
        return { status: 200, body: { sha: 'abc', merged: true } }
      },
    }
  }
}
