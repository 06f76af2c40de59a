/** The small channel behind a slow line: what takes a moment elsewhere takes long enough to see. */
import * as fs from 'fs';
import * as http from 'http';
import type { AddressInfo } from 'net';
import * as path from 'path';
import { Transform } from 'stream';

/** Serve `folder`; each package file comes at `speed` bytes a second, its end after `hurry`. */
export class SlowChannel {
  static async open(folder: string, speed: number): Promise<SlowChannel> {
    const channel = new SlowChannel(folder, speed);
    await new Promise<void>(resolve =>
      channel._server.listen(0, '127.0.0.1', resolve)
    );
    return channel;
  }

  private constructor(
    private readonly _folder: string,
    private readonly _speed: number
  ) {
    this._server = http.createServer((request, answer) => {
      this._answer(request.url ?? '/', answer);
    });
  }

  get url(): string {
    const { port } = this._server.address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  /** From now on everything comes at once. */
  hurry(): void {
    this._slow = false;
    this._waiting.splice(0).forEach(go => go());
  }

  async close(): Promise<void> {
    this.hurry();
    this._server.closeAllConnections();
    await new Promise(resolve => this._server.close(resolve));
  }

  private _answer(url: string, answer: http.ServerResponse): void {
    const wanted = decodeURIComponent(url.split('?')[0]);
    const file = path.join(this._folder, path.normalize(wanted));
    if (!fs.existsSync(file) || !fs.statSync(file).isFile()) {
      answer.writeHead(404).end();
      return;
    }
    answer.writeHead(200, { 'Content-Length': fs.statSync(file).size });
    const content = fs.createReadStream(file);
    answer.on('close', () => content.destroy()); // whoever asked may have been cancelled
    content.pipe(this._line(wanted.endsWith('.conda'))).pipe(answer);
  }

  private _line(thin: boolean): Transform {
    const wait = (bytes: number) =>
      new Promise(resolve =>
        setTimeout(
          resolve,
          thin && this._slow ? (bytes / this._speed) * 1e3 : 0
        )
      );
    let last = Buffer.alloc(0);
    return new Transform({
      transform: (chunk: Buffer, _, done) => {
        const before = last;
        last = chunk;
        void wait(chunk.length).then(() => done(null, before));
      },
      flush: done => {
        const end = () => done(null, last);
        if (thin && this._slow) {
          this._waiting.push(end); // however slow the machine is: nobody comes too late to look
        } else {
          end();
        }
      }
    });
  }

  private readonly _server: http.Server;
  private readonly _waiting: (() => void)[] = [];
  private _slow = true;
}
