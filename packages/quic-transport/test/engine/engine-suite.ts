import assert from 'node:assert/strict';
import type { Engine } from '../../src/engine/port.ts';
import { closeCases } from './cases/close.ts';
import { configurationCases } from './cases/configuration.ts';
import { connectionIdCases } from './cases/connection-ids.ts';
import { datagramCases } from './cases/datagrams.ts';
import { flowCases } from './cases/flow.ts';
import { handshakeCases } from './cases/handshake.ts';
import { resumptionCases } from './cases/resumption.ts';
import { streamCases } from './cases/streams.ts';
import { urgencyCases } from './cases/urgency.ts';
import type { EngineCase } from './engine-case.ts';

/**
 * What every engine has to pass before it may take its place behind the port: named cases, for any test runner. No
 * sockets: datagrams are carried from one connection of the engine to another.
 */
export function engineConformance(create: () => Engine): EngineCase[] {
  const parts = [
    configurationCases,
    handshakeCases,
    resumptionCases,
    streamCases,
    flowCases,
    urgencyCases,
    datagramCases,
    connectionIdCases,
    closeCases,
  ];
  const cases = parts.flatMap((part) => part(create));
  assert.equal(new Set(cases.map(({ title }) => title)).size, cases.length, 'titles are unique');
  return cases;
}
