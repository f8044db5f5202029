import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/support/global-setup.ts',
    // Real clusters, real processes: a slow machine is not a failure.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    maxWorkers: 2,
    // What is built is loaded as it is, by Node.js itself.
    server: { deps: { external: [/\/dist\/.*\.js$/] } },
  },
});
