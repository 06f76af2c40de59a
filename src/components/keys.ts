/** Where a key leads in a list of so many rows; `null` for a key that does not move. */
export function nextIndex(
  key: string,
  current: number,
  length: number
): number | null {
  switch (key) {
    case 'ArrowDown':
      return Math.min(current + 1, length - 1);
    case 'ArrowUp':
      return Math.max(current - 1, 0);
    case 'Home':
      return 0;
    case 'End':
      return length - 1;
    default:
      return null;
  }
}
