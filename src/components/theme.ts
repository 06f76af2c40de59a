import * as React from 'react';

const NAME = 'data-jp-theme-name';

function subscribe(changed: () => void): () => void {
  const watch = new MutationObserver(changed);
  watch.observe(document.body, { attributes: true, attributeFilter: [NAME] });
  return () => watch.disconnect();
}

/** The name of the theme: what is drawn on a canvas has to be drawn anew in its colours. */
export function useTheme(): string {
  return React.useSyncExternalStore(
    subscribe,
    () => document.body.getAttribute(NAME) ?? '',
    () => ''
  );
}
