import { Widget } from '@lumino/widgets';

/** Speaks to screen readers, politely; every sentence once. */
export class Announcer extends Widget {
  constructor() {
    super();
    this.addClass('jp-Mlinfn-srOnly');
    this.node.setAttribute('role', 'status');
    this.node.setAttribute('aria-live', 'polite');
    this.node.setAttribute('aria-label', 'Changes of jobs');
  }

  say(sentence: string): void {
    const line = document.createElement('p');
    line.textContent = sentence;
    this.node.replaceChildren(line);
  }
}
