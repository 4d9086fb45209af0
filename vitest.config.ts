import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { configDefaults, defineConfig } from 'vitest/config';

const packages = readdirSync(new URL('./packages', import.meta.url));

export default defineConfig({
  resolve: {
    // Tests see the sources, so that a failure points into them and no stale build is ever tested.
    alias: packages.map((name) => ({
      find: new RegExp(`^@stanzaport/${name}$`),
      replacement: fileURLToPath(new URL(`./packages/${name}/src/index.ts`, import.meta.url)),
    })),
  },
  test: {
    include: [
      'packages/*/src/**/*.test.ts',
      'packages/*/test/**/*.test.ts',
      'examples/*/src/**/*.test.ts',
      'examples/*/test/**/*.test.ts',
      'scripts/**/*.test.ts',
      'test/**/*.test.ts',
    ],
    // They need programs that npm does not bring: vitest.peers.config.ts.
    exclude: [...configDefaults.exclude, 'examples/*/test/peers/**'],
    // The native QUIC binding crashes the process when several worker threads have it loaded.
    pool: 'forks',
    isolate: true,
    // Two processes keep two cores busy; more of them only make tests with real timeouts compete for time.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    teardownTimeout: 10_000,
  },
});
