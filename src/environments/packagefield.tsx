import { closeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { PackageMatches } from '../api/types';
import { Field } from '../components/field';
import { requirementName } from './words';

const TYPING_PAUSE = 200;

interface IPackageFieldProps {
  label: string;
  hint?: string;
  problem?: string | null;
  chips: readonly string[];
  onChange: (chips: string[]) => void;
  /** Packages with names like this. */
  search: (text: string) => Promise<PackageMatches>;
}

/** Packages as chips, searched for as one types. */
export function PackageField(props: IPackageFieldProps): React.ReactElement {
  const { chips, onChange } = props;
  const [text, setText] = React.useState('');
  const [open, setOpen] = React.useState(false);
  const [active, setActive] = React.useState(-1);
  const found = useSearch(text, props.search);
  const list = React.useId();
  const options = open ? (found.matches?.packages ?? []) : [];
  const add = (wish: string) => {
    const wishes = wish.split(',').map(one => one.trim());
    const fresh = wishes.filter(one => one && !chips.includes(one));
    onChange([...chips, ...fresh]);
    setText('');
    setOpen(false);
    setActive(-1);
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    const last = options.length - 1;
    if (event.key === 'ArrowDown' && last >= 0) {
      setActive(Math.min(active + 1, last));
    } else if (event.key === 'ArrowUp' && last >= 0) {
      setActive(Math.max(active - 1, -1));
    } else if (event.key === 'Enter' && options[active]) {
      add(options[active].name);
    } else if (event.key === 'Enter' && text.trim()) {
      add(text);
    } else if (event.key === 'Escape' && open && text) {
      setOpen(false);
      event.stopPropagation();
    } else if (event.key === 'Backspace' && !text && chips.length) {
      onChange(chips.slice(0, -1));
      return;
    } else {
      return;
    }
    event.preventDefault();
  };
  return (
    <Field label={props.label} hint={props.hint} problem={props.problem}>
      {(id, describedBy) => (
        <div className="jp-Mlinfn-chipField">
          <Chips
            chips={chips}
            label={props.label}
            onRemove={chip => onChange(chips.filter(one => one !== chip))}
          />
          <input
            id={id}
            type="text"
            role="combobox"
            spellCheck={false}
            autoComplete="off"
            aria-autocomplete="list"
            aria-expanded={options.length > 0}
            aria-controls={list}
            aria-activedescendant={
              active >= 0 ? `${list}-${active}` : undefined
            }
            aria-describedby={describedBy}
            placeholder={chips.length ? 'and …' : 'Type a name'}
            value={text}
            onChange={event => {
              setText(event.target.value);
              setOpen(true);
              setActive(-1);
            }}
            onKeyDown={onKeyDown}
            onBlur={() => (text.trim() ? add(text) : setOpen(false))}
          />
          <div className="jp-Mlinfn-options" hidden={!open || !text.trim()}>
            <ul id={list} role="listbox" aria-label="Packages found">
              {options.map((one, index) => (
                <li
                  key={`${one.channel} ${one.name}`}
                  id={`${list}-${index}`}
                  role="option"
                  aria-selected={index === active}
                  onMouseDown={event => event.preventDefault()}
                  onClick={() => add(one.name)}
                >
                  <span>{one.name}</span>
                  <span className="jp-Mlinfn-hint">
                    {one.versions[0] ?? ''}
                  </span>
                </li>
              ))}
            </ul>
            <SearchNews text={text} found={found} />
          </div>
        </div>
      )}
    </Field>
  );
}

function Chips(props: {
  chips: readonly string[];
  label: string;
  onRemove: (chip: string) => void;
}): React.ReactElement | null {
  if (!props.chips.length) {
    return null;
  }
  return (
    <ul className="jp-Mlinfn-chips" aria-label={`${props.label}, chosen`}>
      {props.chips.map(chip => (
        <li key={chip} className="jp-Mlinfn-chip">
          {chip}
          <button
            type="button"
            className="jp-Mlinfn-iconButton"
            title={`Leave out ${chip}`}
            aria-label={`Leave out ${chip}`}
            onClick={() => props.onRemove(chip)}
          >
            <closeIcon.react tag="span" />
          </button>
        </li>
      ))}
    </ul>
  );
}

interface IFound {
  matches: PackageMatches | null;
  error: Error | null;
  searching: boolean;
}

/** What the search says besides the packages: nothing found, more, a silent channel. */
function SearchNews(props: { text: string; found: IFound }) {
  const { matches, error, searching } = props.found;
  const sentences = error
    ? [error.message]
    : [
        searching && !matches ? 'Searching…' : '',
        !searching && matches && !matches.packages.length
          ? 'No package is called like this. Press Enter to ask for it nevertheless.'
          : '',
        matches?.more ? 'There are more: type more letters.' : '',
        matches?.problem ?? ''
      ].filter(Boolean);
  return sentences.length ? (
    <p className="jp-Mlinfn-hint" role="status">
      {sentences.join(' ')}
    </p>
  ) : null;
}

/** Search a moment after the last key; an answer that came too late is not shown. */
function useSearch(
  text: string,
  search: (text: string) => Promise<PackageMatches>
): IFound {
  const [found, setFound] = React.useState<IFound>(NOTHING);
  const asking = React.useRef(search);
  asking.current = search;
  const name = requirementName(text);
  React.useEffect(() => {
    if (!name || text.trim().toLowerCase().startsWith('pip:')) {
      setFound(NOTHING);
      return;
    }
    let wanted = true;
    setFound(before => ({ ...before, searching: true }));
    const timer = window.setTimeout(() => {
      asking.current(name).then(
        matches =>
          wanted && setFound({ matches, error: null, searching: false }),
        (error: Error) =>
          wanted && setFound({ matches: null, error, searching: false })
      );
    }, TYPING_PAUSE);
    return () => {
      wanted = false;
      window.clearTimeout(timer);
    };
  }, [name, text]);
  return found;
}

const NOTHING: IFound = { matches: null, error: null, searching: false };
