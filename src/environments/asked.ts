import * as React from 'react';

/** An answer that is still to come, is there, or could not be had. */
export interface IAsked<T> {
  answer: T | null;
  error: Error | null;
  again: () => void;
}

/** Ask when first shown and whenever `keys` change; a late answer is not shown. */
export function useAnswer<T>(
  ask: () => Promise<T>,
  keys: readonly unknown[]
): IAsked<T> {
  const [answer, setAnswer] = React.useState<T | null>(null);
  const [error, setError] = React.useState<Error | null>(null);
  const [tries, setTries] = React.useState(0);
  const asking = React.useRef(ask);
  asking.current = ask;
  const key = JSON.stringify(keys);
  React.useEffect(() => {
    let wanted = true;
    setAnswer(null);
    setError(null);
    asking.current().then(
      found => wanted && setAnswer(found),
      (failure: Error) => wanted && setError(failure)
    );
    return () => {
      wanted = false;
    };
  }, [key, tries]);
  return { answer, error, again: () => setTries(tries + 1) };
}
