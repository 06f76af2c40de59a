import { ReactWidget } from '@jupyterlab/ui-components';
import { Widget } from '@lumino/widgets';
import * as React from 'react';

interface IFrameProps {
  label: string;
  wide?: boolean;
  onClose: () => void;
  children: React.ReactNode;
}

/** The browser's own modal dialog: focus stays inside, Escape closes, focus returns. */
function Frame(props: IFrameProps): React.ReactElement {
  const node = React.useRef<HTMLDialogElement>(null);
  React.useEffect(() => {
    const dialog = node.current;
    if (!dialog) {
      return;
    }
    // Nothing of the page can be reached below a modal dialog, not even a question of JupyterLab's
    // own, such as whether a file that changed on disk shall be written over: ours steps aside.
    const giveWay = () => {
      if (document.querySelector('body > .jp-Dialog')) {
        dialog.close();
      } else if (!dialog.open) {
        dialog.showModal();
      }
    };
    const watch = new MutationObserver(giveWay);
    watch.observe(document.body, { childList: true });
    giveWay();
    return () => watch.disconnect();
  }, []);
  return (
    <dialog
      ref={node}
      className={`jp-Mlinfn-dialog${props.wide ? ' jp-mod-wide' : ''}`}
      aria-label={props.label}
      onCancel={event => {
        event.preventDefault();
        props.onClose();
      }}
    >
      {props.children}
    </dialog>
  );
}

/**
 * Show a modal dialog. `content` gets the function that closes it; the promise is kept when
 * it has closed, whichever way.
 */
export function openDialog(
  label: string,
  content: (close: () => void) => React.ReactElement
): Promise<void> {
  const before = document.activeElement;
  return new Promise(resolve => {
    const close = () => {
      widget.dispose();
      if (before instanceof HTMLElement) {
        before.focus();
      }
      resolve();
    };
    const widget = ReactWidget.create(
      <Frame label={label} onClose={close}>
        {content(close)}
      </Frame>
    );
    Widget.attach(widget, document.body);
  });
}
