/** A real S3 gateway that checks every signature, with a person's objects in its bucket. */
import * as fs from 'fs';
import * as path from 'path';

import type { Place } from './place';
import { until } from './processes';
import { PythonSide } from './pythonside';

/** What the person has below `homes/anna`: the names of objects, and their bytes. */
type Objects = Record<string, number>;

interface ITold {
  endpoint: string;
  bucket: string;
  /** As the session keeps its keys in a file. */
  keys: string;
}

const program = (objects: Objects): string => `
import json
import sys
from datetime import UTC, datetime, timedelta
from jupyter_mlinfn.model.areas import BucketStore
from jupyter_mlinfn.storage.bucket.keys import Keys
from jupyter_mlinfn.storage.bucket.talking import s3_client
from tests.systems import s3
from tests.systems.daemons import Missing
try:
    store = s3.start()
except Missing as error:
    raise SystemExit(f"The story of buckets is left out: {error}")
try:
    now = datetime.now(UTC)
    keys = Keys(*store.keys.values(), "", now, now + timedelta(hours=6))
    client = s3_client(BucketStore(endpoint=store.endpoint), keys)
    for name, size in json.loads(${JSON.stringify(JSON.stringify(objects))}).items():
        client.put_object(Bucket=s3.BUCKET, Key=f"homes/anna/{name}", Body=bytes(size))
    told = {"endpoint": store.endpoint, "bucket": s3.BUCKET, "keys": keys.document()}
    print(json.dumps(told), flush=True)
    for line in sys.stdin:
        if line.strip() == "away":
            store.kill("s3gateway")
        else:
            store.begin(s3.gateway())
            store.until(lambda: bool(client.list_objects_v2(Bucket=s3.BUCKET)), "the gateway")
        print("done", flush=True)
finally:
    store.stop()
`;

/** One that lives as long as a story needs it. */
export class ObjectStore {
  /** Bring it up; `null` where it cannot be had, and the reason is printed. */
  static async start(objects: Objects): Promise<ObjectStore | null> {
    const side = await PythonSide.start(program(objects));
    return side && new ObjectStore(side, JSON.parse(side.line) as ITold);
  }

  private constructor(
    private readonly _side: PythonSide,
    private readonly _told: ITold
  ) {}

  /** The person's place in it, as a hub tells areas. */
  get area(): { bucket: string; store: { endpoint: string } } {
    const { bucket, endpoint } = this._told;
    return { bucket: `s3://${bucket}/homes/anna`, store: { endpoint } };
  }

  /** Give the session keys where it looks for those that it has: it has looked once before. */
  async giveKeys(place: Place): Promise<void> {
    const folder = path.join(place.base, 'runtime', 'mlinfn-keys');
    const lock = await until('the session to look for keys', () =>
      fs.existsSync(folder)
        ? fs.readdirSync(folder).find(name => name.endsWith('.lock'))
        : undefined
    );
    const file = path.join(folder, lock.replace(/lock$/, 'json'));
    fs.writeFileSync(file, this._told.keys, { mode: 0o600 });
  }

  /** Kill it: nobody listens at its address any more. */
  async away(): Promise<void> {
    await this._side.ask('away');
  }

  /** Start it again over what it has. */
  async back(): Promise<void> {
    await this._side.ask('back');
  }

  async stop(): Promise<void> {
    await this._side.stop();
  }
}
