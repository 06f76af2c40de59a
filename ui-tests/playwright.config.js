/**
 * Browser tests with the system's Chromium (no download of a browser).
 *
 * Every test file starts the Jupyter servers it needs itself (see harness/place.ts): the
 * stories kill them. Video stays off: it would need Playwright's own ffmpeg.
 */
// What takes longest begins first: at the end nothing long is left to one worker alone.
const LONGEST = /(sweep|environments)\.spec\.ts/;

module.exports = {
  testDir: 'tests',
  outputDir: 'test-results',
  globalSetup: require.resolve('./harness/begin.ts'),
  globalTeardown: require.resolve('./harness/end.ts'),
  // most of a story is waiting: for a job, a batch system, a server
  workers: 2,
  // a story has a second try, and is then printed as flaky (docs/decisions.md)
  retries: 1,
  forbidOnly: !!process.env.CI,
  // deadlines are for what hangs: a loaded machine is slow, and nothing here is a measurement
  timeout: 600_000,
  expect: { timeout: 60_000 },
  // the file is for `python -m tests.failures`
  reporter: [
    ['list'],
    ['junit', { outputFile: '../.build/results/browser.xml' }]
  ],
  projects: [
    { name: 'longest', testMatch: LONGEST },
    { name: 'others', testIgnore: LONGEST }
  ],
  use: {
    actionTimeout: 60_000,
    navigationTimeout: 120_000,
    screenshot: 'only-on-failure',
    trace: 'off',
    video: 'off',
    viewport: { width: 1400, height: 900 },
    launchOptions: {
      executablePath: process.env.CHROMIUM_PATH || '/usr/bin/chromium',
      args: ['--disable-gpu', '--disable-dev-shm-usage']
    }
  }
};
