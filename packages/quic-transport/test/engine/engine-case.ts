import type { Engine } from '../../src/engine/port.ts';

/** One thing an engine has to do. */
export interface EngineCase {
  /** ID of the requirement it proves. */
  readonly requirement: string;
  readonly title: string;
  /** Resolves when the engine does it; rejects with what it did instead. */
  run(): Promise<void>;
}

/** Makes cases of bodies that are each given a new engine. */
export function casesWith(
  create: () => Engine,
  bodies: readonly (readonly [requirement: string, title: string, body: (engine: Engine) => Promise<void> | void])[],
): EngineCase[] {
  return bodies.map(([requirement, title, body]) => ({ requirement, title, run: async () => body(create()) }));
}
