import * as React from 'react';

import type { SharingClient } from '../api/sharing';
import type { JobRecord, SharedJob, SharedJobs } from '../api/types';
import { Button } from '../components/buttons';
import { SelectField } from '../components/field';
import { showBytes } from '../components/quantities';
import { Failure, Skeleton } from '../components/states';

interface IShareProps {
  client: SharingClient;
  job: JobRecord;
  onClose: () => void;
}

/** Where a job is shared, what goes along, and taking it back. */
export function Share(props: IShareProps): React.ReactElement {
  const { client, job, onClose } = props;
  const [known, setKnown] = React.useState<SharedJobs | null>(null);
  const [done, setDone] = React.useState<SharedJob | null>(null);
  const [error, setError] = React.useState<Error | null>(null);
  const [area, setArea] = React.useState('');
  const [busy, setBusy] = React.useState(false);
  const load = React.useCallback(() => {
    client.list().then(setKnown, setError);
  }, [client]);
  React.useEffect(load, [load]);
  const writable = (known?.areas ?? []).filter(one => one.writable);
  const chosen = area || writable[0]?.name || '';
  const there =
    known?.jobs.find(
      one => one.id === job.id && one.mine && one.area === chosen
    ) ?? null;
  const run = (work: () => Promise<void>) => {
    setBusy(true);
    setError(null);
    work()
      .catch(setError)
      .finally(() => setBusy(false));
  };
  const share = async () => {
    setDone(await client.share(job.id, chosen));
    load();
  };
  const takeBack = async () => {
    await client.unshare(job.id, chosen);
    setDone(null);
    load();
  };
  return (
    <section className="jp-Mlinfn-submit" aria-label="Share">
      <header className="jp-Mlinfn-headerLine">
        <h2>Share {job.name}</h2>
      </header>
      <div className="jp-Mlinfn-submitBody">
        {!known && !error && <Skeleton lines={3} />}
        {known && !writable.length && (
          <p>
            There is no folder here where you could share jobs. The setting
            ‘shared_jobs’ names them: ask your admin for your group’s area.
          </p>
        )}
        {writable.length > 0 && (
          <>
            <SelectField
              label="Area"
              value={chosen}
              choices={writable.map(({ name }) => ({
                value: name,
                label: name
              }))}
              onChange={value => {
                setArea(value);
                setDone(null);
              }}
            />
            <p>
              Everybody who can read this area sees a copy: the record, the
              code, the log and the outputs. Secrets and tokens never go along.
              Later changes do not reach it.
            </p>
          </>
        )}
        {error && (
          <Failure error={error} what="That did not work" retry={load} />
        )}
        <p role="status">
          {done
            ? `It is shared (${showBytes(done.size)}): ${done.path}`
            : there
              ? `It is shared there already: ${there.path}`
              : ''}
        </p>
      </div>
      <footer className="jp-Mlinfn-buttons">
        <Button onClick={onClose}>Close</Button>
        {there && (
          <Button disabled={busy} onClick={() => run(takeBack)}>
            Take it back
          </Button>
        )}
        {chosen && (
          <Button kind="accept" disabled={busy} onClick={() => run(share)}>
            {busy ? 'Working…' : there ? 'Share it anew' : 'Share'}
          </Button>
        )}
      </footer>
    </section>
  );
}
