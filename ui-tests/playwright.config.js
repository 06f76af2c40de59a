/**
 * Browser tests with the system's Chromium (no download of a browser).
 * Video stays off: it would need Playwright's own ffmpeg.
 */
const base = require('@jupyterlab/galata/lib/playwright-config');

const port = process.env.MLINFN_UI_PORT || '18931';
const address = `http://127.0.0.1:${port}`;

module.exports = {
  ...base,
  testDir: 'tests',
  outputDir: 'test-results',
  workers: 1,
  retries: 0,
  reporter: [['list']],
  use: {
    ...base.use,
    video: 'off',
    baseURL: address,
    launchOptions: {
      executablePath: process.env.CHROMIUM_PATH || '/usr/bin/chromium',
      args: ['--disable-gpu', '--disable-dev-shm-usage']
    }
  },
  webServer: {
    command: 'jupyter lab --config jupyter_server_test_config.py',
    url: `${address}/lab`,
    timeout: 120000,
    reuseExistingServer: false
  }
};
