import { LabIcon } from '@jupyterlab/ui-components';

const svg = (body: string) =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
    <g class="jp-icon3" fill="#616161">${body}</g></svg>`;

/** A running page with lines: work that goes on by itself. */
export const jobsIcon = new LabIcon({
  name: 'mlinfn:jobs',
  svgstr: svg(
    `<path d="M4 5h11v2H4zm0 6h8v2H4zm0 6h8v2H4z"/>
     <path d="M15 10.5v9l7-4.5z"/>`
  )
});

/** A card with a fan and contacts. */
export const gpusIcon = new LabIcon({
  name: 'mlinfn:gpus',
  svgstr: svg(
    `<path d="M2 5h2v1h17a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H4v3H2zm2 3v7h16V8z"/>
     <path d="M6 18h9v2H6z"/>
     <circle cx="9" cy="11.5" r="2.5"/><circle cx="15.5" cy="11.5" r="2.5"/>`
  )
});

/** Boxes in a box. */
export const environmentsIcon = new LabIcon({
  name: 'mlinfn:environments',
  svgstr: svg(
    `<path d="M3 3h8v8H3zm2 2v4h4V5zm8-2h8v8h-8zm2 2v4h4V5zM3 13h8v8H3zm2 2v4h4v-4z"/>
     <path d="M16 13h2v3h3v2h-3v3h-2v-3h-3v-2h3z"/>`
  )
});

/** A cabinet of three drawers. */
export const storageIcon = new LabIcon({
  name: 'mlinfn:storage',
  svgstr: svg(
    `<path d="M4 3h16v18H4zm2 2v4h12V5zm0 6v3h12v-3zm0 5v3h12v-3z"/>
     <path d="M10 6.5h4v1h-4zm0 5.5h4v1h-4zm0 5h4v1h-4z"/>`
  )
});
