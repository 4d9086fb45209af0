import assert from 'node:assert/strict';

/** Watches for errors that nobody caught; they would end a server. */
export interface UncaughtErrors {
  /** Lets a few turns of the event loop pass first, because such errors are told late. */
  assertNone(): Promise<void>;
  stop(): void;
}

const TURNS = 3;

export function collectUncaught(): UncaughtErrors {
  const errors: unknown[] = [];
  const onError = (error: unknown): void => {
    errors.push(error);
  };
  process.on('unhandledRejection', onError);
  process.on('uncaughtException', onError);
  return {
    async assertNone(): Promise<void> {
      for (let turn = 0; turn < TURNS; turn += 1) await new Promise((resolve) => setTimeout(resolve, 1));
      assert.deepEqual(errors, [], 'errors came to the surface of the process');
    },
    stop(): void {
      process.off('unhandledRejection', onError);
      process.off('uncaughtException', onError);
    },
  };
}
