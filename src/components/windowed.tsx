import * as React from 'react';

/** So many pixels above and below what is seen are drawn as well. */
const MARGIN = 400;
/** The height taken for granted before anything was laid out. */
const UNSEEN = 900;

interface IWindowedProps<T> {
  items: readonly T[];
  keyOf: (item: T) => string;
  /** Pixels a line is thought to have before it was drawn once. */
  estimate: number;
  /** The line that stays drawn wherever it is, because it has the focus. */
  pinned?: string | null;
  draw: (item: T, index: number) => React.ReactElement;
  /** Called with the lines that are drawn, whenever these are others. */
  onSight?: (items: readonly T[]) => void;
  /** The node that scrolls; by default the panel around. */
  scroller?: string;
}

/**
 * A long list of which only the lines in sight are in the page. Lines may differ in height:
 * each is measured when it is drawn. Every line's first element is its own node.
 */
export function Windowed<T>(props: IWindowedProps<T>): React.ReactElement {
  const { items, keyOf, estimate, pinned, draw, onSight } = props;
  const scroller = props.scroller ?? '.jp-Mlinfn-panel';
  const top = React.useRef<HTMLDivElement>(null);
  const heights = React.useRef(new Map<string, number>());
  const [measured, setMeasured] = React.useState(0);
  const [seen, setSeen] = React.useState<[number, number]>([0, UNSEEN]);
  const offsets = React.useMemo(
    () =>
      offsetsOf(
        items.map(item => heights.current.get(keyOf(item)) ?? estimate)
      ),
    // the heights are behind a reference; `measured` counts their changes
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [items, keyOf, estimate, measured]
  );
  const [from, to] = windowOf(offsets, seen[0] - MARGIN, seen[1] + MARGIN);
  const drawn = drawnLines(items, keyOf, from, to, pinned);
  useSight(top, scroller, setSeen, () => {
    heights.current.clear();
    setMeasured(number => number + 1);
  });
  // eslint-disable-next-line react-hooks/exhaustive-deps -- every drawing may change heights; none changed ends it
  React.useEffect(() => {
    if (measure(top.current, heights.current)) {
      setMeasured(number => number + 1);
    }
  });
  React.useEffect(() => {
    onSight?.(items.slice(from, to));
  }, [items, from, to, onSight]);
  let before = 0;
  const lines = drawn.map(index => {
    const gap = offsets[index] - offsets[before];
    before = index + 1;
    const key = keyOf(items[index]);
    return (
      <React.Fragment key={key}>
        {gap > 0 && <Gap height={gap} />}
        <div role="presentation" data-line={key}>
          {draw(items[index], index)}
        </div>
      </React.Fragment>
    );
  });
  return (
    <>
      <div ref={top} role="presentation" />
      {lines}
      <Gap height={offsets[items.length] - offsets[before]} />
    </>
  );
}

function Gap(props: { height: number }): React.ReactElement {
  return <div role="presentation" style={{ height: props.height }} />;
}

/** Where each line begins, and behind the last one where the list ends. */
export function offsetsOf(heights: readonly number[]): number[] {
  const offsets = [0];
  for (const height of heights) {
    offsets.push(offsets[offsets.length - 1] + height);
  }
  return offsets;
}

/** The first line that ends below `top`, and the one behind the last that begins above `end`. */
export function windowOf(
  offsets: readonly number[],
  top: number,
  end: number
): [number, number] {
  const count = offsets.length - 1;
  const from = search(count, index => offsets[index + 1] > top);
  const to = search(count, index => offsets[index] >= end);
  return [from, Math.max(from, to)];
}

/** The first index below `count` for which it is so, else `count`; it stays so behind it. */
function search(count: number, isSo: (index: number) => boolean): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isSo(middle)) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

function drawnLines<T>(
  items: readonly T[],
  keyOf: (item: T) => string,
  from: number,
  to: number,
  pinned: string | null | undefined
): number[] {
  const lines = Array.from({ length: to - from }, (_, index) => from + index);
  const kept = pinned ? items.findIndex(item => keyOf(item) === pinned) : -1;
  if (kept >= 0 && kept < from) {
    return [kept, ...lines];
  }
  return kept >= to ? [...lines, kept] : lines;
}

/** Note the heights of the lines that are drawn; true when one is other than before. */
function measure(
  top: HTMLElement | null,
  heights: Map<string, number>
): boolean {
  let changed = false;
  const lines = top?.parentElement?.querySelectorAll<HTMLElement>(
    ':scope > [data-line]'
  );
  for (const line of lines ?? []) {
    const key = line.dataset.line ?? '';
    const height = line.offsetHeight;
    if (height > 0 && heights.get(key) !== height) {
      heights.set(key, height);
      changed = true;
    }
  }
  return changed;
}

/** Follow which part of the list is in sight, in pixels from its top. */
function useSight(
  top: React.RefObject<HTMLElement>,
  scroller: string,
  setSeen: (seen: [number, number]) => void,
  onWidth: () => void
): void {
  const widthChanged = React.useRef(onWidth);
  widthChanged.current = onWidth;
  React.useEffect(() => {
    const around = top.current?.closest<HTMLElement>(scroller);
    if (!around) {
      return;
    }
    let width = around.clientWidth;
    const look = () => {
      const begin = top.current?.getBoundingClientRect().top ?? 0;
      const first = around.getBoundingClientRect().top - begin;
      setSeen([first, first + (around.clientHeight || UNSEEN)]);
      if (around.clientWidth !== width) {
        width = around.clientWidth;
        widthChanged.current();
      }
    };
    const watcher = new ResizeObserver(look);
    watcher.observe(around);
    around.addEventListener('scroll', look, { passive: true });
    look();
    return () => {
      watcher.disconnect();
      around.removeEventListener('scroll', look);
    };
  }, [top, scroller, setSeen]);
}
