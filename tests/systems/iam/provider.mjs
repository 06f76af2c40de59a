// INDIGO IAM as a hub sees it, on the certified oidc-provider: IAM's routes, one client for each of
// its claim profiles (`iam`: `groups` without a leading slash; `wlcg`: `wlcg.groups` with one and
// no `groups`), refresh tokens that are good for one use. Under /side/ the tests change people and
// make it misbehave. One argument: a JSON document {host, port, issuer, secret, redirects, readers}:
// for `readers` (audiences) access tokens are signed documents, as all of IAM's are.

import { generateKeyPairSync } from 'node:crypto';

import { Provider } from 'oidc-provider';

import { forge, signed } from './forging.mjs';
import { forget, Store } from './store.mjs';

const settings = JSON.parse(process.argv[2]);
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const people = new Map();
const asked = [];
const mood = { silent: false, keyless: false, forgery: null };

const bySub = sub => [...people.values()].find(person => person.sub === sub);

function client(name, scope) {
  return {
    client_id: name,
    client_secret: settings.secret,
    redirect_uris: settings.redirects,
    grant_types: ['authorization_code', 'refresh_token'],
    scope
  };
}

function claimsOf(person) {
  return {
    sub: person.sub,
    name: person.name,
    preferred_username: person.username,
    organisation_name: 'tests',
    groups: person.groups,
    'wlcg.groups': person.groups.map(group => `/${group}`)
  };
}

function readable(ctx) {
  const { audience } = ctx.oidc.body;
  const person = bySub(ctx.oidc.entities.Account.accountId);
  const now = Math.floor(Date.now() / 1000);
  const about = { iss: settings.issuer, aud: audience, iat: now, nbf: now, exp: now + 3600 };
  return signed({ alg: 'RS256', kid: 'iam' }, { ...claimsOf(person), ...about }, privateKey);
}

const provider = new Provider(settings.issuer, {
  adapter: Store,
  clients: [
    client('hub-iam', 'openid profile email offline_access iam'),
    client('hub-wlcg', 'openid profile email offline_access wlcg wlcg.groups')
  ],
  jwks: {
    keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'iam', use: 'sig', alg: 'RS256' }]
  },
  cookies: { keys: [settings.secret] },
  scopes: ['openid', 'profile', 'email', 'offline_access', 'iam', 'wlcg', 'wlcg.groups'],
  claims: {
    openid: ['sub'],
    profile: ['name', 'preferred_username'],
    iam: ['groups', 'organisation_name'],
    'wlcg.groups': ['wlcg.groups']
  },
  routes: {
    authorization: '/authorize', token: '/token', userinfo: '/userinfo', jwks: '/jwk',
    introspection: '/introspect', revocation: '/revoke'
  },
  features: {
    devInteractions: { enabled: false },
    introspection: { enabled: true },
    revocation: { enabled: true }
  },
  ttl: {
    AccessToken: 3600, AuthorizationCode: 60, Grant: 86400, IdToken: 3600,
    Interaction: 600, RefreshToken: 86400, Session: 86400
  },
  clientBasedCORS: () => false,
  issueRefreshToken: async (ctx, asking) => asking.grantTypeAllowed('refresh_token'),
  rotateRefreshToken: true,
  extraTokenClaims: ctx => ({ audience: ctx.oidc.body?.audience }),
  findAccount: (ctx, sub) => {
    const person = bySub(sub);
    return person && { accountId: sub, claims: () => claimsOf(person) };
  },
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  async loadExistingGrant(ctx) {
    // IAM asks people once for a client; here they have agreed before
    const grant = new provider.Grant({
      clientId: ctx.oidc.client.clientId,
      accountId: ctx.oidc.session.accountId
    });
    grant.addOIDCScope(ctx.oidc.client.scope);
    await grant.save();
    return grant;
  }
});

async function bodyOf(ctx) {
  const parts = [];
  for await (const part of ctx.req) parts.push(part);
  return Buffer.concat(parts).toString();
}

const PAGE = `<!doctype html><html lang="en"><title>IAM of the tests</title>
<form method="post"><label>Name <input name="login" autofocus></label>
<button type="submit">Sign in</button></form></html>`;

async function interact(ctx) {
  if (ctx.method === 'GET') {
    ctx.type = 'html';
    ctx.body = PAGE;
    return;
  }
  const person = people.get(new URLSearchParams(await bodyOf(ctx)).get('login'));
  ctx.assert(person, 401, 'no such person');
  const result = { login: { accountId: person.sub, remember: false } };
  await provider.interactionFinished(ctx.req, ctx.res, result);
  ctx.respond = false;
}

async function sideDoor(ctx) {
  const told = JSON.parse((await bodyOf(ctx)) || 'null');
  if (ctx.path === '/side/people') people.set(told.login, told);
  else if (ctx.path === '/side/remove') people.delete(told.login);
  else if (ctx.path === '/side/mood') Object.assign(mood, told);
  else if (ctx.path === '/side/forget') forget(told.kind);
  else if (ctx.path === '/side/asked' && told === 'clear') asked.length = 0;
  ctx.body = asked;
}

provider.use(async (ctx, next) => {
  if (ctx.path.startsWith('/side/')) return sideDoor(ctx);
  if (ctx.path.startsWith('/interaction/')) return interact(ctx);
  if (mood.silent && ctx.path !== '/.well-known/openid-configuration') ctx.throw(503, 'silent');
  if (mood.keyless && ctx.path === '/jwk') ctx.throw(503, 'silent');
  await next();
  if (ctx.path === '/token' || ctx.path === '/userinfo') {
    asked.push({ path: ctx.path, grant: ctx.oidc?.params?.grant_type, status: ctx.status });
  }
  if (ctx.path === '/token' && settings.readers.includes(ctx.oidc?.body?.audience)) {
    if (ctx.body?.access_token) ctx.body.access_token = readable(ctx);
  }
  if (ctx.path === '/token' && ctx.body?.id_token && mood.forgery) {
    ctx.body.id_token = forge(mood.forgery, ctx.body.id_token, privateKey, settings.secret);
  }
  return undefined;
});

provider.listen(settings.port, settings.host);
