import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Connection, type Listener, type StanzaStream, StreamError } from '@stanzaport/core';
import type { ConformanceSetup } from '../conformance-setup.ts';
import type { CaseDefinition } from './case-definition.ts';
import { collect } from './collector.ts';
import { Scene } from './harness.ts';

const CYCLES = 30;

/** Looks, 10 ms apart, before what is still there counts as leaked. */
const PATIENCE = 200;

/** Collections of garbage before what is still there counts as kept; one is enough for what is free. */
const COLLECTIONS = 20;

/** TC-08: after the end nothing remains. */
export const leakCases: readonly CaseDefinition[] = [
  {
    requirement: 'TC-08',
    title: 'when all is closed, no timer, socket or other handle remains, however the ends came about',
    runAlone: noHandles,
  },
  {
    requirement: 'TC-08',
    title: 'a listener that stays up keeps nothing of connections that have ended: handles',
    run: async (scene) => {
      const listener = await scene.listenOnly();
      await cycle(scene, listener, 0);
      const before = countResources();
      for (let index = 0; index < CYCLES; index += 1) await cycle(scene, listener, index);
      await assertNoMoreThan(before);
    },
  },
  {
    requirement: 'TC-08',
    title: 'a listener that stays up keeps nothing of connections that have ended: memory',
    async run(scene) {
      const listener = await scene.listenOnly();
      const references: WeakRef<object>[] = [];
      for (let index = 0; index < CYCLES; index += 1) {
        for (const object of await cycle(scene, listener, index)) references.push(new WeakRef(object));
      }
      await assertCollected(references);
    },
  },
];

/** One connection with a stream, from the handshake to the end; how it ends depends on `index`. */
async function cycle(
  scene: Scene,
  listener: Listener,
  index: number,
): Promise<[Connection, Connection, StanzaStream, StanzaStream]> {
  const { client, domain } = scene.pair;
  const announced = new Promise<Connection>((resolve) => {
    const subscription = listener.connections$.subscribe((connection) => {
      resolve(connection);
      subscription.unsubscribe();
    });
  });
  const target = scene.pair.target(listener.address, domain, 'c2s');
  const connection = await scene.wait('connect()', client.connect(target));
  const server = await scene.wait('the announcement', announced);
  const streams = { client: connection, server, streams: collect(server.streams$) };
  const { initiating, receiving } = await scene.openStream(streams);
  const reading = [initiating, receiving].map(({ events$ }) => collect(events$).ended);
  initiating.send('<message/>');
  if (index % 3 === 0) await scene.wait('close()', initiating.close());
  if (index % 3 === 1) receiving.abort(new StreamError('policy-violation'));
  if (index % 3 === 2) connection.abort();
  await scene.wait('both sides to end', Promise.all(reading));
  await scene.wait('the connection to close', connection.close());
  await scene.wait('the other side to close', server.closed);
  return [connection, server, initiating, receiving];
}

async function noHandles(setup: ConformanceSetup, signal: AbortSignal): Promise<void> {
  const before = countResources();
  for (let index = 0; index < 6; index += 1) {
    const scene = await Scene.create(setup, {}, signal);
    const listener = await scene.listenOnly();
    await cycle(scene, listener, index);
    // Left open on purpose: the listener's own close has to end them.
    await scene.openFirst();
    await scene.connectOnly();
    await scene.wait('listener.close()', listener.close({ drainMs: 20 }));
    await scene.wait('dispose()', scene[Symbol.asyncDispose]());
  }
  await assertNoMoreThan(before);
}

type ResourceCounts = ReadonlyMap<string, number>;

function countResources(): ResourceCounts {
  const counts = new Map<string, number>();
  for (const type of process.getActiveResourcesInfo()) counts.set(type, (counts.get(type) ?? 0) + 1);
  return counts;
}

/** The test runner's own timers come and go; a leak stays. */
async function assertNoMoreThan(before: ResourceCounts): Promise<void> {
  for (let look = 1; ; look += 1) {
    const surplus = [...countResources()].filter(([type, count]) => count > (before.get(type) ?? 0));
    if (surplus.length === 0) return;
    const found = surplus.map(([type, count]) => `${count - (before.get(type) ?? 0)} ${type}`).join(', ');
    assert.ok(look < PATIENCE, `resources remain: ${found}`);
    await laterTurn();
  }
}

async function assertCollected(references: readonly WeakRef<object>[]): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  for (let look = 1; ; look += 1) {
    await laterTurn();
    collectGarbage();
    const kept = references.filter((reference) => reference.deref() !== undefined).length;
    // The last cycle may still be in a register or on a stack.
    if (kept <= references.length / CYCLES) return;
    assert.ok(look < COLLECTIONS, `${kept} of ${references.length} connections and streams are kept in memory`);
  }
}

function laterTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 10));
}
