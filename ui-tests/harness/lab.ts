/** What a person does in JupyterLab, as functions; and the fixtures of the tests. */
import AxeBuilder from '@axe-core/playwright';
import { Page, TestInfo, expect, test as plain } from '@playwright/test';
import * as fs from 'fs';
import * as path from 'path';

import { tookPart, pythonVersion } from './parts';
import { IMAGES, LOOKS, VENV } from './paths';
import type { IPlaceOptions } from './place';
import { Place } from './place';
import { System } from './system';

export { expect };

/** The part of JupyterLab's application that the tests speak to. */
interface IApplication {
  restored: Promise<void>;
  serviceManager: {
    contents: {
      rename(from: string, to: string): Promise<unknown>;
      save(file: string, model: object): Promise<unknown>;
    };
  };
  commands: { execute(id: string, args: object): Promise<unknown> };
  shell: {
    activateById(id: string): void;
    currentWidget: {
      context?: { path: string };
      sessionContext?: {
        session: {
          kernel: { connectionStatus: string; status: string } | null;
        } | null;
      };
    } | null;
    _hsplitPanel: {
      node: HTMLElement;
      setRelativeSizes(sizes: number[]): void;
    };
  };
}

declare global {
  // eslint-disable-next-line @typescript-eslint/naming-convention -- the browser named it
  interface Window {
    jupyterapp: IApplication;
  }
}

interface ITestFixtures {
  /** Bring a batch system up, perhaps with lines of the site; `null` where it cannot be had. */
  system: typeof System.start;
  /** Open a place of one's own; it is closed when the test ends. */
  ownPlace: (options?: IPlaceOptions) => Promise<Place>;
}

interface IWorkerFixtures {
  /** JupyterLab with simulated GPUs, shared by the tests that do not kill it. */
  place: Place;
}

/** Tests that share one server; those that kill theirs open one of their own. */
export const test = plain.extend<ITestFixtures, IWorkerFixtures>({
  // Ended after the places: it ends all that knows of it, their kernels too, and a server that is
  // told to stop while it starts a kernel again never does (jupyter_server 2.21).
  system: [
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const begun: System[] = [];
      await use(async (...what) => {
        const one = await System.start(...what);
        begun.push(...(one ? [one] : []));
        return one;
      });
      await Promise.all(begun.map(one => one.stop()));
    },
    { timeout: 300_000 }
  ],
  ownPlace: [
    async ({ system: _first }, use, info) => {
      const opened: Place[] = [];
      await use(async options => {
        opened.push(await Place.open(options));
        return opened[opened.length - 1];
      });
      for (const place of opened) {
        if (info.status !== info.expectedStatus) {
          await keepLogs(info, place.logs());
        }
        await place.close();
      }
    },
    { timeout: 300_000 }
  ],
  place: [
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const place = await Place.open({ gpus: true, cpus: 2 });
      tookPart('JupyterLab', pythonVersion(VENV, 'jupyterlab'));
      await use(place);
      await place.close();
    },
    { scope: 'worker', timeout: 300_000 }
  ]
});

/** Keep what the programs of a failed story wrote, beside its picture. */
export async function keepLogs(info: TestInfo, logs: string): Promise<void> {
  const file = info.outputPath('programs.log');
  await fs.promises.writeFile(file, logs);
  await info.attach('logs', { path: file });
}

/** Open JupyterLab, perhaps with a document that is in front then, in an empty workspace. */
export async function openLab(
  page: Page,
  place: Place,
  file = ''
): Promise<void> {
  const version = page.context().browser()?.version();
  tookPart('Chromium', version ?? 'of unknown version');
  const where = file ? `lab/tree/${file}` : 'lab';
  await page.goto(place.address(`${where}?reset`));
  await labReady(page);
  // JupyterLab is restored before it has opened the document that the address names
  await page.waitForFunction(
    name =>
      !name || window.jupyterapp.shell.currentWidget?.context?.path === name,
    file,
    { timeout: 120_000 }
  );
}

/** Wait until the splash screen has gone and everything is restored. */
export async function labReady(page: Page): Promise<void> {
  await page.waitForFunction(() => 'jupyterapp' in window, undefined, {
    timeout: 120_000
  });
  await page.evaluate(() => window.jupyterapp.restored);
  await expect(page.locator('#jupyterlab-splash')).toHaveCount(0);
}

/** Run a command of JupyterLab. */
export async function command(
  page: Page,
  id: string,
  args: object = {}
): Promise<void> {
  await page.evaluate(
    async ([name, values]) => {
      await window.jupyterapp.commands.execute(name, values);
    },
    [id, args] as const
  );
}

/** Bring a panel of the left side bar to the front. */
export async function showPanel(page: Page, id: string): Promise<void> {
  await page.evaluate(name => window.jupyterapp.shell.activateById(name), id);
  await expect(page.locator(`#${id}`)).toBeVisible();
}

/** `JupyterLab Light` or `JupyterLab Dark`. */
export async function theme(page: Page, name: 'Light' | 'Dark'): Promise<void> {
  await command(page, 'apputils:change-theme', { theme: `JupyterLab ${name}` });
  await expect(page.locator('body')).toHaveAttribute(
    'data-jp-theme-light',
    String(name === 'Light')
  );
  // JupyterLab lays its splash screen over the page while it changes
  await expect(page.locator('#jupyterlab-splash')).toHaveCount(0);
}

/** Wait for the kernel of the notebook in front to be connected and idle. */
export async function kernelReady(page: Page): Promise<void> {
  await page.waitForFunction(
    () => {
      const kernel =
        window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel;
      return (
        kernel?.connectionStatus === 'connected' && kernel.status === 'idle'
      );
    },
    undefined,
    { timeout: 180_000 }
  );
}

/** No violation that axe can see inside `selector`. */
export async function noAxeViolations(
  page: Page,
  selector: string
): Promise<void> {
  // JupyterLab's body hides what overflows and has no height, because all in it is positioned.
  // axe would take every text in it for invisible, and look at no colour.
  await page.addStyleTag({ content: 'body { height: 100vh }' });
  // Nothing here has frames of other origins: one page is looked at in itself, where axe is put
  // once. A second page for its results, and axe in both each time, cost ten times the look.
  const there = await page.evaluate(() => 'axe' in window);
  const result = await new AxeBuilder({
    page,
    ...(there ? { axeSource: ';' } : {})
  })
    .setLegacyMode()
    .include(selector)
    .analyze();
  const found = result.violations.map(
    one =>
      `${one.id}: ${one.help}\n${one.nodes.map(node => `   ${node.html.slice(0, 160)} ${node.any.map(any => any.message).join()}`).join('\n')}`
  );
  expect(found.join('\n'), `axe in ${selector}`).toBe('');
  expect(
    result.passes.map(one => one.id),
    `what axe looked at in ${selector}`
  ).toContain('color-contrast');
}

/** Nothing inside is wider than its panel. */
export async function noSidewaysScroll(
  page: Page,
  selector: string
): Promise<void> {
  const wide = await page.locator(selector).evaluate(panel => {
    const right = panel.getBoundingClientRect().right + 1;
    const over = (node: Element) =>
      node.scrollWidth > node.clientWidth + 1 &&
      ['auto', 'scroll'].includes(getComputedStyle(node).overflowX);
    return [panel, ...panel.querySelectorAll('*')]
      .filter(
        node =>
          over(node) ||
          (node.getBoundingClientRect().right > right &&
            !(node as HTMLElement).closest('.jp-Mlinfn-pre, .visually-hidden'))
      )
      .map(node => node.outerHTML.slice(0, 160));
  });
  expect(wide, `wider than ${selector}`).toEqual([]);
}

/** Set the width of the left side bar in pixels. */
export async function leftWidth(page: Page, width: number): Promise<void> {
  await page.evaluate(pixels => {
    const shell = window.jupyterapp.shell;
    const total = shell._hsplitPanel.node.clientWidth;
    shell._hsplitPanel.setRelativeSizes([pixels, total - pixels, 0]);
  }, width);
}

/** Whether this run renews the pictures of the documentation. */
export const RENEW = process.env.MLINFN_UI_PICTURES === '1';

/** A picture for the documentation, renewed by `MLINFN_UI_PICTURES=1 make browser`. */
export async function picture(
  page: Page,
  name: string,
  clip?: { x: number; y: number; width: number; height: number }
): Promise<void> {
  const folder = RENEW ? IMAGES : LOOKS;
  for (const close of await page.locator('.Toastify__close-button').all()) {
    await close.click();
  }
  await expect(page.locator('.Toastify__toast')).toHaveCount(0);
  await page.screenshot({ path: path.join(folder, `${name}.png`), clip });
}

/** A picture for a human eye. */
export async function look(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: path.join(LOOKS, `${name}.png`) });
}
