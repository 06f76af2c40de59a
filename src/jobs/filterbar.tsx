import { closeIcon, copyIcon, filterListIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { JobState } from '../api/types';
import { IconButton } from '../components/buttons';
import { SelectField } from '../components/field';
import { AGES, moreFilters, NO_FILTER } from './filter';
import type { JobsModel } from './model';

const STATES: { label: string; states: JobState[] }[] = [
  { label: 'All states', states: [] },
  {
    label: 'Not ended',
    states: ['running', 'starting', 'queued', 'evicted']
  },
  { label: 'Running', states: ['running', 'starting'] },
  { label: 'Queued', states: ['queued', 'evicted'] },
  { label: 'Evicted', states: ['evicted'] },
  { label: 'Succeeded', states: ['succeeded'] },
  { label: 'Failed', states: ['failed'] },
  { label: 'Cancelled', states: ['cancelled'] }
];

const KINDS = [
  { label: 'Jobs and sweeps', value: '' },
  { label: 'Sweeps only', value: 'true' },
  { label: 'Single jobs only', value: 'false' }
];

interface IFilterProps {
  model: JobsModel;
  copyLink: () => void;
}

/** Search and filters, all of them carried out by the server. */
export function FilterBar(props: IFilterProps): React.ReactElement {
  const { model } = props;
  const { filter } = model;
  const [open, setOpen] = React.useState(moreFilters(filter) > 0);
  const more = moreFilters(filter);
  const same = (states: readonly JobState[]) =>
    states.length === filter.states.length &&
    states.every(state => filter.states.includes(state));
  return (
    <>
      <div className="jp-Mlinfn-headerLine">
        <input
          type="search"
          className="jp-Mlinfn-input"
          placeholder="Search ( / )"
          aria-label="Search jobs by name, notebook, parameter or id"
          aria-keyshortcuts="/"
          value={filter.search}
          onChange={event => model.setSearch(event.target.value)}
        />
        <select
          className="jp-Mlinfn-select"
          aria-label="Show jobs in these states"
          value={STATES.findIndex(one => same(one.states))}
          onChange={event =>
            model.setFilter({
              states: STATES[Number(event.target.value)].states
            })
          }
        >
          {STATES.findIndex(one => same(one.states)) < 0 && (
            <option value={-1}>{filter.states.join(', ')}</option>
          )}
          {STATES.map((one, index) => (
            <option key={one.label} value={index}>
              {one.label}
            </option>
          ))}
        </select>
        <button
          className="jp-Mlinfn-iconButton"
          title={more ? `More filters, ${more} set` : 'More filters'}
          aria-label={more ? `More filters, ${more} set` : 'More filters'}
          aria-expanded={open}
          data-on={more > 0}
          onClick={() => setOpen(!open)}
        >
          <filterListIcon.react tag="span" />
        </button>
      </div>
      {open && <MoreFilters {...props} />}
    </>
  );
}

function MoreFilters(props: IFilterProps): React.ReactElement {
  const { model, copyLink } = props;
  const { choices, filter } = model;
  const kept = (all: readonly string[], chosen: readonly string[]) => [
    { label: 'All', value: '' },
    ...[...new Set([...all, ...chosen])].map(value => ({ label: value, value }))
  ];
  const list = (value: string) => (value ? [value] : []);
  return (
    <div className="jp-Mlinfn-filters" role="group" aria-label="More filters">
      <SelectField
        label="Place"
        value={filter.backends[0] ?? ''}
        choices={kept(choices.backends, filter.backends)}
        onChange={value => model.setFilter({ backends: list(value) })}
      />
      <SelectField
        label="Environment"
        value={filter.environments[0] ?? ''}
        choices={kept(choices.environments, filter.environments)}
        onChange={value => model.setFilter({ environments: list(value) })}
      />
      <SelectField
        label="Submitted"
        value={String(filter.within)}
        choices={AGES.map(age => ({
          label: age.label,
          value: String(age.seconds)
        }))}
        onChange={value => model.setFilter({ within: Number(value) })}
      />
      <SelectField
        label="Kind"
        value={filter.sweep === null ? '' : String(filter.sweep)}
        choices={KINDS}
        onChange={value =>
          model.setFilter({ sweep: value === '' ? null : value === 'true' })
        }
      />
      <div className="jp-Mlinfn-filterEnd">
        <IconButton
          label="Copy a link to this list"
          icon={copyIcon}
          run={copyLink}
        />
        {model.filtered && (
          <IconButton
            label="Show all jobs"
            icon={closeIcon}
            run={() => model.setFilter(NO_FILTER)}
          />
        )}
      </div>
    </div>
  );
}
