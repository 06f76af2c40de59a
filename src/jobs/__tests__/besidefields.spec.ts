import { isBeside, NOTHING_BESIDE, readBeside } from '../besidefields';

describe('what is asked beside a run', () => {
  it('is nothing when nothing is typed', () => {
    expect(readBeside(NOTHING_BESIDE)).toEqual({
      after: [],
      after_ok: [],
      notify: [],
      secrets: []
    });
    expect(isBeside(NOTHING_BESIDE)).toBe(false);
  });

  it('names jobs, targets and secrets', () => {
    const jobs = ['aaaaaaaaaa', 'bbbbbbbbbb', 'cccccccccc'];
    const fields = {
      after: jobs.map(id => ({ id, name: `job ${id}` })),
      afterOk: true,
      lab: true,
      mail: true,
      url: ' https://example.org/hook ',
      secrets: ['proxy', 's3']
    };
    expect(readBeside(fields)).toEqual({
      after: [],
      after_ok: jobs,
      notify: ['lab', 'mail', 'https://example.org/hook'],
      secrets: ['proxy', 's3']
    });
    expect(readBeside({ ...fields, afterOk: false }).after).toEqual(jobs);
    expect(isBeside(fields)).toBe(true);
  });
});
