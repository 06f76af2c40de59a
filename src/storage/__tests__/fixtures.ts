import type {
  Area,
  AreaState,
  BackupCopy,
  BackupEntry,
  RestoreTask
} from '../../api/types';

export function area(more: Partial<Area> = {}): Area {
  return {
    name: 'collab',
    title: 'Our group',
    kind: 'collabspace',
    path: '/data/ours',
    writable: true,
    survives: true,
    audience: 'group',
    group: 'users/ours',
    batch: ['slurm'],
    quota: null,
    snapshots: '/backups/ours',
    bucket: null,
    store: null,
    ...more
  };
}

export function state(
  more: Partial<AreaState> = {},
  of: Partial<Area> = {}
): AreaState {
  return {
    area: area(of),
    state: 'ready',
    problem: null,
    use: {
      used: 3 * 2 ** 30,
      total: 20 * 2 ** 30,
      of: 'quota',
      files: null,
      at_least: false,
      measured_at: '2026-11-22T10:00:00Z'
    },
    counting: false,
    place: 'ours',
    notes: [],
    copies: 0,
    newest: null,
    ...more
  };
}

/** A bucket that can be looked into, as the server tells it. */
export function bucket(more: Partial<AreaState> = {}): AreaState {
  const store = {
    endpoint: 'https://s3.example.org',
    region: 'us-east-1',
    keys: 'web-identity' as const,
    sts: null,
    audience: 'minio',
    role: null
  };
  const use = {
    used: 5 * 2 ** 30,
    total: null,
    of: 'unknown' as const,
    files: 12,
    at_least: false,
    measured_at: '2026-11-22T10:00:00Z'
  };
  return state(
    { place: null, use, ...more },
    {
      name: 'objects',
      title: 'Objects',
      kind: 'bucket',
      path: '',
      audience: 'you',
      group: null,
      snapshots: null,
      bucket: 's3://people/homes/ada',
      store
    }
  );
}

export function copy(id: string): BackupCopy {
  return {
    id,
    made_at: '2026-11-20T14:00:00Z',
    files: 2,
    size: 10,
    added: 10,
    changed: 0,
    unreadable: 0,
    skipped: 0
  };
}

export function entry(
  path: string,
  more: Partial<BackupEntry> = {}
): BackupEntry {
  return {
    name: path,
    path,
    kind: 'file',
    size: 10,
    modified: '2026-11-20T13:00:00Z',
    deleted: false,
    ...more
  };
}

export function task(more: Partial<RestoreTask> = {}): RestoreTask {
  return {
    id: '0123456789abcdef',
    area: 'collab',
    name: 'fit.py',
    state: 'running',
    files: 0,
    size: 0,
    missed: 0,
    text: null,
    code: null,
    result: null,
    trash: null,
    started_at: '2026-11-22T10:00:00Z',
    ...more
  };
}
