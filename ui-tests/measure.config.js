/** What `make bench` measures in the browser: no tests, so `make test` leaves them out. */
const tests = require('./playwright.config.js');

module.exports = {
  ...tests,
  testDir: 'measure',
  timeout: 1_200_000,
  reporter: [['line']]
};
