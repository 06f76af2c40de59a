/** A hub with a Docker engine, PostgreSQL and an OpenID provider, all of them real programs. */
import { spawnSync } from 'child_process';
import * as fs from 'fs';
import * as path from 'path';

import { PythonSide } from './pythonside';

/** Who is known to the provider: ada as a member, eve as somebody of another project. */
const PROGRAM = `
import json
from tests.systems.daemons import Missing
from tests.systems.docker_sessions import MEMBERS, DockerHub
try:
    site = DockerHub(1)
except Missing as error:
    print(json.dumps({"missing": str(error)}), flush=True)
    raise SystemExit(f"Left out: the stories in containers: {error}")
try:
    site.iam.person("ada", MEMBERS)
    site.iam.person("eve", "users/other")
    told = {"url": site.hub.url, "issuer": site.iam.issuer, "areas": str(site.areas)}
    told |= {"logs": str(site.hub.work), "engine": site.engine.url}
    print(json.dumps(told), flush=True)
    input()
except EOFError:
    pass
finally:
    site.stop()
`;

interface ITold {
  missing?: string;
  url: string;
  issuer: string;
  areas: string;
  logs: string;
  engine: string;
}

export class DockerHub {
  /** Bring all of it up, or look why that cannot be had here: `missing`. */
  static async open(): Promise<DockerHub> {
    const side = await PythonSide.start(PROGRAM);
    if (!side) {
      throw new Error('The hub did not come up; its reason is above.');
    }
    return new DockerHub(side, JSON.parse(side.line) as ITold);
  }

  private constructor(
    private readonly _side: PythonSide,
    told: ITold
  ) {
    this.missing = told.missing ?? '';
    this.url = told.url;
    this.issuer = told.issuer;
    this._areas = told.areas;
    this._logs = told.logs;
    this._engine = told.engine;
  }

  readonly missing: string;
  readonly url: string;
  /** The provider's address; ends with a slash. */
  readonly issuer: string;

  /** What a file of somebody's private area says, on the host. */
  privately(name: string, file: string): string {
    return fs.readFileSync(
      path.join(this._areas, 'private', name, file),
      'utf-8'
    );
  }

  /** What the hub wrote, and what the server in somebody's container did. */
  logs(name: string): string {
    const hub = fs.readFileSync(path.join(this._logs, 'hub.log'), 'utf-8');
    const argv = ['-H', this._engine, 'logs', `jupyter-${name}`];
    const container = spawnSync('docker', argv, { encoding: 'utf-8' });
    return [hub, container.stdout, container.stderr].join('\n');
  }

  async stop(): Promise<void> {
    await this._side.stop();
  }

  private readonly _areas: string;
  private readonly _engine: string;
  private readonly _logs: string;
}
