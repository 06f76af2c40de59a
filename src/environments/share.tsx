import * as React from 'react';

import type { Environment, TaskRequest } from '../api/types';
import { TextField } from '../components/field';
import { showBytes } from '../components/quantities';
import { TaskDialog } from './taskdialog';
import type { TaskModel } from './taskmodel';

/** Put a copy where others read it; packed first, so that they can run it. */
export function Share(props: {
  model: TaskModel;
  environment: Environment;
  onClose: () => void;
}): React.ReactElement {
  const { name, digest, images } = props.environment;
  const [folder, setFolder] = React.useState('');
  const [pack, setPack] = React.useState(true);
  const packed = images.filter(one => one.lock === digest && !one.base);
  const request = (): TaskRequest | null =>
    folder.startsWith('/')
      ? { action: 'share', name, folder, pack: pack && !packed.length }
      : null;
  return (
    <TaskDialog
      model={props.model}
      title={`Share ${name}`}
      act="Share"
      direct
      request={request}
      onClose={props.onClose}
    >
      <p>
        {packed.length
          ? `Its lock and its packed file (${showBytes(sizeOf(packed))}) are copied there. Who can read the folder can clone it, and run it at once.`
          : 'Its lock is copied there. Who can read the folder can clone it. To run it at once they need the packed file, and there is none yet.'}
      </p>
      {!packed.length && (
        <label className="jp-Mlinfn-check">
          <input
            type="checkbox"
            checked={pack}
            onChange={event => setPack(event.target.checked)}
          />
          Pack it first, so that others can run it at once
        </label>
      )}
      <TextField
        label="Folder"
        value={folder}
        hint="Its whole path, such as one in your group's area."
        onChange={setFolder}
      />
    </TaskDialog>
  );
}

function sizeOf(images: Environment['images']): number {
  return images.reduce((sum, image) => sum + image.size, 0);
}
