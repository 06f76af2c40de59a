/** A channel without the internet, what an admin put there, and what a person does with it. */
import type { Locator, Page } from '@playwright/test';
import { expect } from '@playwright/test';
import { execFile } from 'child_process';
import * as path from 'path';
import { promisify } from 'util';

import { CHECKOUT, VENV } from './paths';
import type { Place } from './place';

export const ENVIRONMENTS = 'mlinfn-environments-panel';

/** The small channel's folder. */
export const CHANNEL = path.join(CHECKOUT, '.build', 'channels', 'small');
const run = promisify(execFile);

/** Make the small offline channel, unless it is there; seconds the first time. */
export async function makeChannel(): Promise<void> {
  await run(
    path.join(VENV, 'bin', 'python'),
    ['-m', 'tests.channel', CHANNEL, '--size', 'small'],
    { cwd: CHECKOUT }
  );
}

/** Settings of a place that has this channel alone, and the admin's environments. */
export function withChannel(
  base: string,
  channel = `file://${CHANNEL}`
): string[] {
  const managed = path.join(base, 'admin', 'mlinfn', 'environments', 'own');
  return [
    `c.Mlinfn.channels = ["${channel}"]`,
    `c.Mlinfn.managed_environments = ["${managed}"]`
  ];
}

/** Make a managed environment, as an admin with a terminal does. */
export async function manage(
  place: Place,
  name: string,
  ...packages: string[]
): Promise<void> {
  await run(
    path.join(VENV, 'bin', 'mlinfn'),
    ['env', 'create', name, ...packages, '--yes'],
    {
      cwd: place.root,
      env: { ...place.env(), JUPYTER_DATA_DIR: path.join(place.base, 'admin') }
    }
  );
}

/** The row of an environment in the panel. */
export function environment(page: Page, name: string): Locator {
  return page.locator(`#${ENVIRONMENTS} [role=row][data-name="${name}"]`);
}

/** Press a button that shows itself while the pointer is on the row. */
export async function pressInRow(
  page: Page,
  name: string,
  label: RegExp
): Promise<void> {
  const row = environment(page, name);
  await row.hover();
  await row.getByRole('button', { name: label }).click();
}

/** Choose from the menu behind the three dots of a row. */
export async function chooseFromMenu(
  page: Page,
  name: string,
  item: string
): Promise<void> {
  await pressInRow(page, name, /^Actions for/);
  await page.getByRole('menuitem', { name: item }).click();
}

/** The dialog of an action. */
export function dialog(page: Page, label: string | RegExp): Locator {
  return page.getByRole('dialog', { name: label });
}

/** Preview in the open dialog, look at what would change, and let it happen. */
export async function previewAndDo(
  open: Locator,
  act: string,
  expected: RegExp,
  before: () => Promise<void> = async () => undefined
): Promise<void> {
  await open.getByRole('button', { name: 'Preview', exact: true }).click();
  await decide(open, act, expected, before);
}

/** Wait for the preview, then for the sentence that says what is different now. */
export async function decide(
  open: Locator,
  act: string,
  expected: RegExp,
  before: () => Promise<void> = async () => undefined
): Promise<void> {
  const button = open.getByRole('button', { name: act, exact: true });
  await expect(button).toBeEnabled();
  await expect(open).toContainText(expected);
  await before();
  await button.click();
  await expect(button).toHaveCount(0);
  await expect(open.getByRole('button', { name: 'Cancel' })).toHaveCount(0, {
    timeout: 180_000
  });
  await expect(open.getByRole('alert')).toHaveCount(0);
}
