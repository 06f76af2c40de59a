import { VDomModel } from '@jupyterlab/ui-components';

import { ApiProblem } from '../api/errors';
import type { StorageClient } from '../api/storage';
import type { BucketEntry, StoredPiece } from '../api/types';

/** Bytes that are made text at once: arguments of one call. */
const STRIDE = 0x8000;

/** A file on its way into a bucket. */
export interface ISending {
  name: string;
  sent: number;
  size: number;
}

/** One bucket: which folder of it is looked at, and what is being sent. */
export class ObjectsModel extends VDomModel {
  constructor(
    readonly client: StorageClient,
    readonly area: string
  ) {
    super();
  }

  /** The folder that is shown, without a slash at its end. */
  get path(): string {
    return this._path;
  }

  /** Only names that begin so are shown. */
  get search(): string {
    return this._search;
  }

  /** `null` until the folder's first answer. */
  get entries(): readonly BucketEntry[] | null {
    return this._entries;
  }

  /** Whether there are further names to ask for. */
  get hasMore(): boolean {
    return this._more !== null;
  }

  get error(): Error | null {
    return this._error;
  }

  get sending(): ISending | null {
    return this._sending;
  }

  /** A file whose name is taken: it waits for a word. */
  get taken(): File | null {
    return this._taken;
  }

  /** Show a folder, or what begins with `search` in it. */
  async open(path: string, search = ''): Promise<void> {
    if (path !== this._path) {
      this._entries = null; // those of another folder would be taken for its own
      this._more = null;
    }
    this._path = path;
    this._search = search;
    const look = ++this._looks;
    await this._try(async () => {
      const page = await this.client.objects(this.area, path, search, null);
      if (look === this._looks) {
        this._entries = page.entries;
        this._more = page.more;
      }
    });
  }

  /** Ask for the names that follow. */
  async readOn(): Promise<void> {
    const look = this._looks;
    await this._try(async () => {
      const page = await this.client.objects(
        this.area,
        this._path,
        this._search,
        this._more
      );
      if (look === this._looks) {
        this._entries = [...(this._entries ?? []), ...page.entries];
        this._more = page.more;
      }
    });
  }

  async remove(entry: BucketEntry): Promise<void> {
    await this._try(async () => {
      await this.client.removeObject(this.area, entry.path);
    });
    if (!this._error) {
      await this.open(this._path, this._search);
    }
  }

  /** Put a file into the folder that is shown; where its name is taken nothing is done yet. */
  async send(file: File, replace = false): Promise<void> {
    if (this._sending) {
      return;
    }
    const folder = this._path;
    const path = folder ? `${folder}/${file.name}` : file.name;
    this._taken = null;
    this._given = false;
    this._sending = { name: file.name, sent: 0, size: file.size };
    await this._try(async () => {
      try {
        await this._sendAll(file, path, replace);
      } catch (error) {
        const there =
          error instanceof ApiProblem && error.code === 'object-there';
        if (!there) {
          throw error;
        }
        this._taken = file;
      }
    });
    this._sending = null;
    if (!this._error && !this._taken && folder === this._path) {
      await this.open(this._path, this._search);
    }
    this._emit();
  }

  /** Give up what is being sent; nothing of it stays. */
  cancel(): void {
    this._given = true;
  }

  /** Leave what has that name as it is. */
  keep(): void {
    this._taken = null;
    this._emit();
  }

  dispose(): void {
    this._given = true;
    super.dispose();
  }

  private async _sendAll(
    file: File,
    path: string,
    replace: boolean
  ): Promise<void> {
    const { id, piece } = await this.client.startUpload(
      this.area,
      path,
      replace
    );
    let pieces: StoredPiece[] = [];
    try {
      do {
        const start = pieces.length * piece;
        const part = file.slice(start, start + piece);
        const content = await base64(part);
        const number = pieces.length + 1;
        const body = { path, id, number, content };
        pieces = [...pieces, await this.client.sendPiece(this.area, body)];
        const sent = Math.min(start + piece, file.size);
        this._sending = { name: file.name, sent, size: file.size };
        this._emit();
      } while (pieces.length * piece < file.size && !this._given);
    } catch (error) {
      this._given = true;
      throw error;
    } finally {
      const whole = this._given ? [] : pieces;
      await this.client.endUpload(this.area, { path, id, pieces: whole });
    }
  }

  private async _try(work: () => Promise<void>): Promise<void> {
    this._error = null;
    this._emit();
    try {
      await work();
    } catch (error) {
      this._error = error as Error;
    }
    this._emit();
  }

  private _emit(): void {
    if (!this.isDisposed) {
      this.stateChanged.emit();
    }
  }

  private _entries: readonly BucketEntry[] | null = null;
  private _error: Error | null = null;
  private _given = false;
  private _looks = 0;
  private _more: string | null = null;
  private _path = '';
  private _search = '';
  private _sending: ISending | null = null;
  private _taken: File | null = null;
}

/** The bytes of a piece as the server reads them. */
async function base64(part: Blob): Promise<string> {
  const bytes = new Uint8Array(await part.arrayBuffer());
  let text = '';
  for (let at = 0; at < bytes.length; at += STRIDE) {
    text += String.fromCharCode(...bytes.subarray(at, at + STRIDE));
  }
  return btoa(text);
}
