import { VDomModel } from '@jupyterlab/ui-components';
import { Debouncer } from '@lumino/polling';

import type { Client } from '../api/client';
import { ApiProblem, newKey, ServerSilent } from '../api/client';
import type {
  Draft,
  JobRecord,
  Problem,
  Remedy,
  SubmitForm
} from '../api/types';
import type { IFields } from './fields';
import { initialFields, readFields } from './fields';
import { Mending } from './mending';
import { readRerun, recordedDefaults, recordedForm } from './rerunfields';

const DRAFT_PAUSE = 300;
const TRIES = 4;
const TRY_AGAIN_AFTER = 1_000;

/** Where a request comes from and where it goes. */
export interface ISubmitOptions {
  /** The notebook or script, relative to the server's root. */
  source: string;
  /** Write unsaved changes to disk first; the path is the notebook's path now. */
  save: () => Promise<string>;
  /** An environment chosen beforehand. */
  environment?: string;
  /** The recorded job that is run again, changed. */
  rerunOf?: JobRecord;
}

/** The submit form: what is typed, what the server says of it, and the click. */
export class SubmitModel extends VDomModel {
  constructor(
    private readonly _client: Client,
    readonly options: ISubmitOptions
  ) {
    super();
    this._asRecorded = options.rerunOf !== undefined;
    this._drafting = new Debouncer(() => this._askDraft(), DRAFT_PAUSE);
  }

  get client(): Client {
    return this._client;
  }

  get form(): SubmitForm | null {
    return this._form;
  }

  get fields(): IFields | null {
    return this._fields;
  }

  get draft(): Draft | null {
    return this._draft;
  }

  /** Why there is no form, or why the last click did not submit. */
  get error(): Error | null {
    return this._error;
  }

  get submitting(): boolean {
    return this._submitting;
  }

  /** All that prevents the job, from what is typed and from the server. */
  get problems(): readonly Problem[] {
    if (!this._form || !this._fields) {
      return [];
    }
    const typed = readFields(this._form, this._fields).problems;
    const refused =
      this._error instanceof ApiProblem ? this._error.problems : [];
    const drafted = this._draft?.problems ?? [];
    const all = [...typed, ...drafted, ...refused];
    return all.filter(
      (one, index) => all.findIndex(other => other.text === one.text) === index
    );
  }

  /** What can be done at once about an environment that is not what its lock says. */
  get remedy(): Remedy | null {
    return this._draft?.remedy ?? null;
  }

  /** The environment is being made usable; the job is submitted after that. */
  get mending(): Mending | null {
    return this._mending;
  }

  /**
   * Make the environment usable again, then submit; `null` when either did not work, with the
   * reason in `error`. Goes on when the form is closed, as long as the page is open.
   */
  async mendAndSubmit(tryFirst: boolean): Promise<JobRecord | null> {
    const { remedy } = this;
    if (!remedy || this._mending || this._submitting) {
      return null;
    }
    this._error = null;
    this._mending = new Mending(this._client, () => this._tell());
    this._tell();
    try {
      const { result, state } = await this._mending.carryOut(remedy);
      if (state !== 'succeeded') {
        throw new Error(
          `${result?.text ?? 'It did not end well.'} The job was not submitted.`
        );
      }
      this._draft = null;
    } catch (error) {
      this._error = error as Error;
      return null;
    } finally {
      this._mending = null;
      this._tell();
    }
    const job = await this.submit(tryFirst);
    void this._askDraft();
    return job;
  }

  async cancelMending(): Promise<void> {
    try {
      await this._mending?.cancel();
    } catch (error) {
      this._error = error as Error;
      this._tell();
    }
  }

  /** Save, then read the notebook's parameters and the defaults. */
  async load(): Promise<void> {
    this._error = null;
    this.stateChanged.emit();
    try {
      const form = await this._readForm();
      this._form = form;
      this._fields = this._prefilled(form);
      void this._askDraft();
    } catch (error) {
      this._error = error as Error;
    }
    if (!this.isDisposed) {
      this.stateChanged.emit();
    }
  }

  /** True when the code that was recorded runs again, not the notebook as it is now. */
  get asRecorded(): boolean {
    return this._asRecorded;
  }

  /** False when the notebook of a recorded job is not there any more. */
  get sourceIsThere(): boolean {
    return this._sourceIsThere;
  }

  setAsRecorded(asRecorded: boolean): void {
    this._asRecorded = asRecorded;
    this.change({});
  }

  change(fields: Partial<IFields>): void {
    if (this._fields) {
      this._fields = { ...this._fields, ...fields };
      this._error = null;
      this._key = newKey();
      this.stateChanged.emit();
      void this._drafting.invoke();
    }
  }

  /** Submit; `null` when it was not accepted, with the reason in `error` and `problems`. */
  async submit(tryFirst: boolean): Promise<JobRecord | null> {
    if (this._submitting) {
      return null;
    }
    this._submitting = true;
    this._error = null;
    this.stateChanged.emit();
    try {
      if (!this._form) {
        await this.load();
      }
      if (!this._form || !this._fields) {
        return null;
      }
      const { request, problems } = readFields(this._form, this._fields);
      if (problems.length) {
        return null;
      }
      const { rerunOf } = this.options;
      if (rerunOf && this._asRecorded) {
        const changes = readRerun(this._form, this._fields, rerunOf);
        return await this._send(key =>
          this._client.rerun(rerunOf.id, changes, key)
        );
      }
      const source = await this.options.save();
      const full = { ...request, source, try_first: tryFirst };
      return await this._send(key => this._client.submit(full, key));
    } catch (error) {
      this._error = error as Error;
      return null;
    } finally {
      this._submitting = false;
      if (!this.isDisposed) {
        this.stateChanged.emit();
      }
    }
  }

  dispose(): void {
    this._drafting.dispose();
    super.dispose();
  }

  private _tell(): void {
    if (!this.isDisposed) {
      this.stateChanged.emit();
    }
  }

  private async _readForm(): Promise<SubmitForm> {
    const { rerunOf, save } = this.options;
    try {
      const source = await save();
      return await this._client.form(source);
    } catch (error) {
      const missing = error instanceof ApiProblem && error.status === 404;
      if (!rerunOf || !missing) {
        throw error;
      }
      this._sourceIsThere = false;
      return recordedForm(rerunOf);
    }
  }

  private _prefilled(form: SubmitForm): IFields {
    const { environment, rerunOf } = this.options;
    const defaults = rerunOf ? recordedDefaults(rerunOf) : form.defaults;
    const fields = initialFields({ ...form, defaults });
    return environment ? { ...fields, environment } : fields;
  }

  /** The same token until it is accepted or changed: a lost answer submits nothing twice. */
  private async _send(
    post: (key: string) => Promise<JobRecord>
  ): Promise<JobRecord> {
    for (let tries = 1; ; tries += 1) {
      try {
        const job = await post(this._key);
        this._key = newKey();
        return job;
      } catch (error) {
        if (!(error instanceof ServerSilent) || tries >= TRIES) {
          throw error;
        }
        const pause = TRY_AGAIN_AFTER * tries;
        await new Promise(resolve => window.setTimeout(resolve, pause));
      }
    }
  }

  private async _askDraft(): Promise<void> {
    if (!this._form || !this._fields || this.isDisposed) {
      return;
    }
    const asked = ++this._asked;
    const { request } = readFields(this._form, this._fields);
    let draft: Draft | null = null;
    if (this._sourceIsThere) {
      try {
        draft = await this._client.draft(request);
      } catch (error) {
        this._error = error as Error;
      }
    }
    if (asked === this._asked && !this.isDisposed) {
      this._draft = draft;
      this.stateChanged.emit();
    }
  }

  private readonly _drafting: Debouncer;
  private _asked = 0;
  private _asRecorded: boolean;
  private _draft: Draft | null = null;
  private _error: Error | null = null;
  private _fields: IFields | null = null;
  private _form: SubmitForm | null = null;
  private _key = newKey();
  private _mending: Mending | null = null;
  private _sourceIsThere = true;
  private _submitting = false;
}
