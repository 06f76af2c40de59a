import * as path from 'path';

/** The checkout. */
export const CHECKOUT = path.resolve(__dirname, '..', '..');
/** The virtual environment of the checkout. */
export const VENV = path.join(CHECKOUT, '.venv');
/** Where the screenshots of the documentation lie. */
export const IMAGES = path.join(CHECKOUT, 'docs', 'images');
/** Where screenshots for a human eye go that are not part of the documentation. */
export const LOOKS = path.join(CHECKOUT, '.build', 'looks');
/** What the table of real parts is printed from. */
export const PARTS = path.join(CHECKOUT, '.build', 'parts');
/** Beginning of the name of every folder that this run makes. */
export const runPrefix = () => `mlinfn-ui-${process.env.MLINFN_UI_RUN}-`;
