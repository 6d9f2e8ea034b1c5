// An OpenID Connect provider for the API's tests. It signs in, without asking, the account that `POST /next` named last.
// Prints its address once it listens.
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

let next = {};
const accounts = new Map();
const server = createServer({ keepAliveTimeout: 600_000 });
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{ client_id: 'board', client_secret: 'secret-of-the-tests', redirect_uris: [process.argv[2]] }],
    cookies: { keys: ['a key of the tests'] },
    pkce: { required: () => true },
    scopes: ['openid', 'email', 'profile', 'groups'],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_, id) => ({ accountId: id, claims: async () => ({ sub: id, ...accounts.get(id) }) }),
    loadExistingGrant: async (ctx) => {
      const grant = new ctx.oidc.provider.Grant({ clientId: 'board', accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope('openid email profile groups');
      await grant.save();
      return grant;
    },
  });
  const callback = provider.callback();
  server.on('request', async (request, response) => {
    try {
      if (request.url === '/next') {
        let text = '';
        for await (const chunk of request) text += chunk;
        next = JSON.parse(text);
        accounts.set(next.sub, next.claims);
        response.end();
      } else if (request.url.startsWith('/interaction/')) {
        await provider.interactionFinished(request, response, { login: { accountId: next.sub } });
      } else {
        callback(request, response);
      }
    } catch (error) {
      response.statusCode = 500;
      response.end(String(error));
    }
  });
  console.log(issuer);
});
