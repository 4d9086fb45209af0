import { configDefaults, defineConfig } from 'vitest/config';
import base from './vitest.config.ts';

/** The tests that need more than Node.js: npm run test:peers. */
export default defineConfig({
  ...base,
  test: {
    ...base.test,
    include: ['examples/*/test/peers/**/*.test.ts'],
    exclude: configDefaults.exclude,
    // Their ports are only asked for, and must not be taken by somebody else before a peer listens there.
    fileParallelism: false,
  },
});
