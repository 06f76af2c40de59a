import { Notification } from '@jupyterlab/apputils';
import * as React from 'react';

import type { Client } from '../api/client';
import { ApiProblem } from '../api/client';
import type { JobRecord, Problem, ReleaseOffer } from '../api/types';
import { Button } from '../components/buttons';
import { openDialog } from '../components/dialog';
import { TextField } from '../components/field';
import type { IServerPart } from '../tokens';
import { problemOf } from './fields';
import type { JobsModel } from './model';
import {
  amountText,
  LABELS,
  readRelease,
  releaseFields
} from './releasefields';

/** Let a held job go; where what it asks for can be changed, that is asked first. */
export async function releaseHeld(
  parts: { server: IServerPart; model: JobsModel },
  job: JobRecord
): Promise<void> {
  const { client } = parts.server;
  const done = (record: JobRecord) => {
    parts.model.put(record);
    Notification.success(`${job.name} was released; it waits for its turn.`, {
      autoClose: 6000
    });
  };
  const { release: offer } = await client.details(job.id);
  if (!offer?.amends.length) {
    done(await client.release(job.id, {}));
    return;
  }
  await openDialog(`Release ${job.name}`, close => (
    <Release
      client={client}
      job={job}
      offer={offer}
      onCancel={close}
      onDone={record => {
        close();
        done(record);
      }}
    />
  ));
}

interface IReleaseProps {
  client: Client;
  job: JobRecord;
  offer: ReleaseOffer;
  onDone: (job: JobRecord) => void;
  onCancel: () => void;
}

/** Why it is held, and what it shall ask for from now on. */
export function Release(props: IReleaseProps): React.ReactElement {
  const { client, job, offer } = props;
  const [fields, setFields] = React.useState(() => releaseFields(offer));
  const [refused, setRefused] = React.useState<readonly Problem[]>([]);
  const [trouble, setTrouble] = React.useState('');
  const [busy, setBusy] = React.useState(false);
  const { request, problems } = readRelease(offer, fields);
  const all = [...problems, ...refused];
  const release = async () => {
    setBusy(true);
    setTrouble('');
    try {
      props.onDone(await client.release(job.id, request));
    } catch (error) {
      setRefused(error instanceof ApiProblem ? error.problems : []);
      setTrouble((error as Error).message);
      setBusy(false);
    }
  };
  return (
    <form
      className="jp-Mlinfn-submit"
      aria-label="Release"
      onSubmit={event => {
        event.preventDefault();
        if (!problems.length && !busy) {
          void release();
        }
      }}
    >
      <header className="jp-Mlinfn-headerLine">
        <h2>Release {job.name}</h2>
      </header>
      <div className="jp-Mlinfn-submitBody">
        <p>{job.reason?.text}</p>
        <p>It shall ask for:</p>
        <div className="jp-Mlinfn-columns">
          {offer.amends.map(of => (
            <TextField
              key={of}
              label={LABELS[of]}
              value={fields[of]}
              hint={hintOf(offer, of)}
              problem={problemOf(all, of)}
              first={of === offer.cause}
              onChange={value => {
                setFields({ ...fields, [of]: value });
                setRefused([]);
                setTrouble('');
              }}
            />
          ))}
        </div>
      </div>
      {trouble && (
        <div className="jp-Mlinfn-outlook" data-ok="false" role="alert">
          {trouble}
        </div>
      )}
      <footer className="jp-Mlinfn-buttons">
        <Button onClick={props.onCancel}>Close</Button>
        <Button
          type="submit"
          kind="accept"
          disabled={busy || problems.length > 0}
        >
          {busy ? 'Releasing…' : 'Release'}
        </Button>
      </footer>
    </form>
  );
}

function hintOf(
  { asks, cause, used }: ReleaseOffer,
  of: ReleaseOffer['amends'][number]
): string | undefined {
  if (of !== cause) {
    return asks[of] === null ? 'Empty: as much as is usual there.' : undefined;
  }
  const now = `Now ${amountText(of, asks[of]) || 'the usual'}`;
  return used === null
    ? `${now}; held for that.`
    : `${now}; it had used ${amountText(of, used)}.`;
}
