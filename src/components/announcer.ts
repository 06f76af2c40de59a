import { Widget } from '@lumino/widgets';

/** Speaks to screen readers, politely; every sentence once. */
export class Announcer extends Widget {
  /** `label`: what the sentences are about. */
  constructor(label: string) {
    super();
    this.addClass('jp-Mlinfn-srOnly');
    this.node.setAttribute('role', 'status');
    this.node.setAttribute('aria-live', 'polite');
    this.node.setAttribute('aria-label', label);
  }

  say(sentence: string): void {
    const line = document.createElement('p');
    line.textContent = sentence;
    this.node.replaceChildren(line);
  }
}
