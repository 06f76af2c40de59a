import type * as React from 'react';

/**
 * Show a context menu where the event is: at the pointer, or, when the menu
 * key opened it, near the element's corner.
 */
export function menuAt(
  event: React.MouseEvent,
  show: (x: number, y: number) => void
): void {
  event.preventDefault();
  event.stopPropagation();
  const box = event.currentTarget.getBoundingClientRect();
  const byKey = event.clientX === 0 && event.clientY === 0;
  show(
    byKey ? box.left + 16 : event.clientX,
    byKey ? box.top + 16 : event.clientY
  );
}
