// What oidc-provider remembers, in one map, so that a test can make it forget.

export const kept = new Map();

/** Forget all of one kind: AccessToken, RefreshToken, Session, Grant, … */
export function forget(kind) {
  for (const key of kept.keys()) {
    if (key.startsWith(`${kind}:`)) kept.delete(key);
  }
}

export class Store {
  constructor(kind) {
    this.kind = kind;
  }

  key(id) {
    return `${this.kind}:${id}`;
  }

  async upsert(id, payload, seconds) {
    kept.set(this.key(id), { payload, until: seconds ? Date.now() + seconds * 1000 : Infinity });
  }

  async find(id) {
    const found = kept.get(this.key(id));
    return found && found.until > Date.now() ? found.payload : undefined;
  }

  async findBy(name, value) {
    for (const [key, { payload }] of kept) {
      if (key.startsWith(`${this.kind}:`) && payload[name] === value) return payload;
    }
    return undefined;
  }

  findByUid(uid) {
    return this.findBy('uid', uid);
  }

  findByUserCode(code) {
    return this.findBy('userCode', code);
  }

  async consume(id) {
    kept.get(this.key(id)).payload.consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    kept.delete(this.key(id));
  }

  async revokeByGrantId(grant) {
    for (const [key, { payload }] of kept) {
      if (key.startsWith(`${this.kind}:`) && payload.grantId === grant) kept.delete(key);
    }
  }
}
