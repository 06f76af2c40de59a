// Identity tokens that no hub may believe, made out of a good one.

import { createHmac, generateKeyPairSync, sign } from 'node:crypto';

const HOUR = 3600;
const encoded = value => Buffer.from(JSON.stringify(value)).toString('base64url');
const decoded = part => JSON.parse(Buffer.from(part, 'base64url').toString());
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });

/** A signed document (RS256). */
export function signed(header, claims, key) {
  const said = `${encoded(header)}.${encoded(claims)}`;
  return `${said}.${sign('sha256', Buffer.from(said), key).toString('base64url')}`;
}

/** `token` made wrong in the way that `kind` says; `key` is the provider's own, `shared` the secret
 * that the client knows. */
export function forge(kind, token, key, shared) {
  const [head, body, signature] = token.split('.');
  const header = decoded(head);
  const claims = decoded(body);
  const now = Math.floor(Date.now() / 1000);
  switch (kind) {
    case 'alg-none':
      return `${encoded({ alg: 'none' })}.${body}.`;
    case 'unsigned':
      return `${head}.${body}.`;
    case 'shared-secret': {
      const said = `${encoded({ alg: 'HS256', kid: header.kid })}.${body}`;
      return `${said}.${createHmac('sha256', shared).update(said).digest('base64url')}`;
    }
    case 'changed':
      return `${head}.${encoded({ ...claims, sub: 'somebody-else' })}.${signature}`;
    case 'other-key':
      return signed(header, claims, stranger.privateKey);
    case 'unknown-key':
      return signed({ ...header, kid: 'stranger' }, claims, stranger.privateKey);
    case 'expired':
      return signed(header, { ...claims, iat: now - 2 * HOUR, exp: now - HOUR }, key);
    case 'future':
      return signed(header, { ...claims, iat: now + HOUR, exp: now + 2 * HOUR }, key);
    case 'no-end':
      return signed(header, { ...claims, exp: undefined }, key);
    case 'audience':
      return signed(header, { ...claims, aud: 'another-client' }, key);
    case 'two-audiences':
      return signed(header, { ...claims, aud: [claims.aud, 'x'], azp: 'another-client' }, key);
    case 'issuer':
      return signed(header, { ...claims, iss: 'https://iam.example.org/' }, key);
    case 'subject':
      return signed(header, { ...claims, sub: 'somebody-else' }, key);
    case 'rubbish':
      return 'not.a.token';
    case 'missing':
      return undefined;
    default:
      throw new Error(`no such forgery: ${kind}`);
  }
}
