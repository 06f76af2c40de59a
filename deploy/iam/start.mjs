// The tests' IAM stand-in with people from a file. Everybody who reaches it may log in as anybody:
// it listens on this machine alone.

import { readFileSync } from 'node:fs';

const host = '127.0.0.1';
const port = Number(process.env.IAM_PORT);
const issuer = `http://${host}:${port}/`;
const { IAM_CLIENT_SECRET: secret, IAM_REDIRECT: redirect } = process.env;
process.argv[2] = JSON.stringify({ host, port, issuer, secret, redirects: [redirect], readers: [] });
await import('./provider.mjs');

const people = JSON.parse(readFileSync('/etc/iam/people.json', 'utf8'));
for (const [login, groups] of Object.entries(people)) {
  await fetch(`${issuer}side/people`, {
    method: 'POST',
    body: JSON.stringify({ login, sub: `stand-in-${login}`, name: login, username: login, groups })
  });
}
