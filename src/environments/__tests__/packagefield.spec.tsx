import { createRoot } from 'react-dom/client';
import * as React from 'react';

import type { PackageMatches } from '../../api/types';
import { PackageField } from '../packagefield';

const matches = (...names: string[]): PackageMatches => ({
  search: '',
  packages: names.map(name => ({ name, versions: ['1.0'], channel: 'c' })),
  more: false,
  problem: null
});

const { act } = React;

describe('PackageField', () => {
  let node: HTMLDivElement;
  let chips: string[];
  let searches: string[];
  let answers: Map<string, (found: PackageMatches) => void>;
  let root: ReturnType<typeof createRoot>;

  function Held() {
    const [held, setHeld] = React.useState<string[]>([]);
    chips = held;
    return (
      <PackageField
        label="Packages"
        chips={held}
        onChange={setHeld}
        search={text => {
          searches.push(text);
          return new Promise(resolve => answers.set(text, resolve));
        }}
      />
    );
  }

  beforeEach(() => {
    jest.useFakeTimers();
    Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
    node = document.createElement('div');
    document.body.append(node);
    searches = [];
    answers = new Map();
    root = createRoot(node);
    act(() => root.render(<Held />));
  });

  afterEach(() => {
    act(() => root.unmount());
    node.remove();
    jest.useRealTimers();
  });

  const input = () => node.querySelector('input') as HTMLInputElement;

  const type = (text: string) =>
    act(() => {
      const value = Object.getOwnPropertyDescriptor(
        HTMLInputElement.prototype,
        'value'
      );
      value?.set?.call(input(), text);
      input().dispatchEvent(new Event('input', { bubbles: true }));
    });

  const press = (key: string) => {
    const event = new KeyboardEvent('keydown', {
      key,
      bubbles: true,
      cancelable: true
    });
    act(() => void input().dispatchEvent(event));
    return event;
  };

  const pause = () =>
    act(async () => {
      await jest.advanceTimersByTimeAsync(300);
    });

  const answer = (text: string, ...names: string[]) =>
    act(async () => answers.get(text)?.(matches(...names)));

  const options = () =>
    [...node.querySelectorAll('[role=option]')].map(one => one.textContent);

  it('searches once for what was typed, and adds what is chosen by keys', async () => {
    type('n');
    type('nu');
    type('num');
    await pause();
    expect(searches).toEqual(['num']);
    await answer('num', 'numpy', 'numba');
    expect(options()).toEqual(['numpy1.0', 'numba1.0']);
    press('ArrowDown');
    press('ArrowDown');
    expect(input().getAttribute('aria-activedescendant')).toBeTruthy();
    press('Enter');
    expect(chips).toEqual(['numba']);
    expect(input().value).toBe('');
  });

  it('does not show an answer that came too late', async () => {
    type('num');
    await pause();
    type('scip');
    await pause();
    await answer('scip', 'scipy');
    await answer('num', 'numpy');
    expect(options()).toEqual(['scipy1.0']);
  });

  it('takes what is typed as it is, with its version, and several at once', () => {
    type('numpy>=2, scipy');
    press('Enter');
    expect(chips).toEqual(['numpy>=2', 'scipy']);
    press('Backspace');
    expect(chips).toEqual(['numpy>=2']);
  });

  it('loses nothing when the focus goes elsewhere', () => {
    type('rich');
    act(() => {
      input().dispatchEvent(new FocusEvent('focusout', { bubbles: true }));
    });
    expect(chips).toEqual(['rich']);
  });

  it('closes the list by Escape, and leaves the dialog open', async () => {
    type('num');
    await pause();
    await answer('num', 'numpy');
    expect(press('Escape').defaultPrevented).toBe(true);
    expect(options()).toEqual([]);
    expect(press('Escape').defaultPrevented).toBe(false);
  });

  it('says that there is none, and does not search for what PyPI has', async () => {
    type('nmpy');
    await pause();
    await answer('nmpy');
    expect(node.textContent).toContain('No package is called like this.');
    type('pip:rich');
    await pause();
    expect(searches).toEqual(['nmpy']);
  });
});
