/**
 * Browser tests with the system's Chromium (no download of a browser).
 *
 * Every test file starts the Jupyter servers it needs itself (see harness/place.ts): the
 * stories kill them. Video stays off: it would need Playwright's own ffmpeg.
 */
module.exports = {
  testDir: 'tests',
  outputDir: 'test-results',
  globalSetup: require.resolve('./harness/begin.ts'),
  globalTeardown: require.resolve('./harness/end.ts'),
  workers: 1,
  retries: 0,
  forbidOnly: !!process.env.CI,
  timeout: 90_000,
  expect: { timeout: 15_000 },
  reporter: [['list']],
  use: {
    actionTimeout: 15_000,
    navigationTimeout: 45_000,
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
