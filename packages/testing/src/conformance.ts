import { backpressureCases } from './cases/backpressure.ts';
import { cancellationCases } from './cases/cancellation.ts';
import type { CaseDefinition } from './cases/case-definition.ts';
import { closingCases } from './cases/closing.ts';
import { drainingCases } from './cases/draining.ts';
import { endingCases } from './cases/endings.ts';
import { errorCases } from './cases/errors.ts';
import { factCases } from './cases/facts.ts';
import { halfClosingCases } from './cases/half-closing.ts';
import { Scene } from './cases/harness.ts';
import { isolationCases } from './cases/isolation.ts';
import { leakCases } from './cases/leaks.ts';
import { limitCases } from './cases/limits.ts';
import { listeningCases } from './cases/listening.ts';
import { queuedOutputCases } from './cases/queued-output.ts';
import { stanzaCases } from './cases/stanzas.ts';
import { collectUncaught } from './cases/uncaught.ts';
import type { ConformanceSetup } from './conformance-setup.ts';

/** One property a transport has to have, ready for any test runner. */
export interface ConformanceCase {
  /** The row of the conformance catalogue it proves, for example `TC-02`. */
  readonly requirement: string;
  readonly title: string;
  /** Why the transport need not have it; such a case is to be reported as skipped. */
  readonly skip?: string;
  /**
   * Resolves when the property holds; else rejects, with an AssertionError or with what the transport threw.
   * @param signal gives up early; the case has its own time limit besides.
   */
  run(signal?: AbortSignal): Promise<void>;
}

const DEFAULT_CASE_TIMEOUT_MS = 25_000;

const ALL_CASES: readonly CaseDefinition[] = [
  ...listeningCases,
  ...stanzaCases,
  ...backpressureCases,
  ...closingCases,
  ...halfClosingCases,
  ...queuedOutputCases,
  ...endingCases,
  ...leakCases,
  ...errorCases,
  ...factCases,
  ...isolationCases,
  ...limitCases,
  ...cancellationCases,
  ...drainingCases,
];

/**
 * The contract of transports as a list of cases. They need nothing but a runner that can await a function:
 * ```ts
 * for (const { requirement, title, skip, run } of transportConformance(setup)) {
 *   test(`[${requirement}] ${title}`, { skip: skip ?? false }, ({ signal }) => run(signal));
 * }
 * ```
 * Cases are independent, run one after another, and leave nothing behind.
 */
export function transportConformance(setup: ConformanceSetup): ConformanceCase[] {
  return ALL_CASES.map((definition) => {
    const { requirement, title } = definition;
    const skip = definition.skipFor?.(setup.capabilities) ?? null;
    return {
      requirement,
      title,
      ...(skip === null ? {} : { skip }),
      run: (signal?: AbortSignal) => runCase(definition, setup, signal),
    };
  });
}

async function runCase(definition: CaseDefinition, setup: ConformanceSetup, given?: AbortSignal): Promise<void> {
  const timeLimit = new AbortController();
  const timeoutMs = setup.caseTimeoutMs ?? DEFAULT_CASE_TIMEOUT_MS;
  const timer = setTimeout(() => timeLimit.abort(), timeoutMs);
  const uncaught = collectUncaught();
  try {
    const signal = AbortSignal.any(given === undefined ? [timeLimit.signal] : [given, timeLimit.signal]);
    if (definition.run !== undefined) {
      await using scene = await Scene.create(setup, definition.limits ?? {}, signal);
      await definition.run(scene);
    } else {
      await definition.runAlone(setup, signal);
    }
    await uncaught.assertNone();
  } finally {
    clearTimeout(timer);
    uncaught.stop();
  }
}
