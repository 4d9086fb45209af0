import { expect, test } from 'vitest';
import { Crowd } from './tools/crowd.ts';
import { MemoryServer, type Usage } from './tools/memory-server.ts';

const KIB = 1_024;
const MIB = 1_024 * KIB;
const TIMEOUT_MS = 600_000;

const IDLE = 10_000;
/**
 * Resident memory of an idle connection with one stream. The engine takes 35 KiB of it, objects of JavaScript 13 KiB, and the
 * rest are reserves of the heap, which is larger on Node.js 26.
 */
const IDLE_BYTES = 60 * KIB;
/** The ID of the handshake, the one the client chose, and two spare ones. */
const ROUTES = 4;

const CYCLES = 10;
const PER_CYCLE = 5_000;
/** What the allocator has after the first is not what it needs. A single cycle says little: it gives back 25 MiB, or does not. */
const EARLY = [1, 4] as const;
const LATE = [-3] as const;
const FLAT = { rssBytes: 16 * MIB, knownBytes: MIB };

/** What the first connections load and compile is not any connection's. */
async function warmUp(server: MemoryServer, crowd: Crowd): Promise<Usage> {
  await crowd.grow(30);
  return empty(server, crowd);
}

/** All connections are closed. @returns what the server has when there is no trace of them. */
async function empty(server: MemoryServer, crowd: Crowd): Promise<Usage> {
  await crowd.disperse();
  await server.untilLeft(0);
  return server.usage();
}

test(`[TC-08] ${IDLE} idle connections with a stream take at most ${IDLE_BYTES / KIB} KiB of resident memory each, and one timer in all`, {
  timeout: TIMEOUT_MS,
}, async ({ annotate }) => {
  await using server = await MemoryServer.start();
  await using crowd = new Crowd(server.port);
  const before = await warmUp(server, crowd);
  await crowd.grow(IDLE);
  const idle = await server.usage();
  const each = (idle.rssBytes - before.rssBytes) / IDLE;
  const known = (idle.knownBytes - before.knownBytes) / IDLE;
  await annotate(`${(each / KIB).toFixed(1)} KiB resident a connection, ${(known / KIB).toFixed(1)} KiB known to V8`);
  expect(idle).toMatchObject({ connections: IDLE, routes: ROUTES * IDLE, pendingHandshakes: 0 });
  expect(idle.resources).toEqual({ ...before.resources, Timeout: 1 });
  expect(each).toBeLessThanOrEqual(IDLE_BYTES);
  const { resources } = before;
  expect(resources).not.toHaveProperty('Timeout');
  expect(await empty(server, crowd)).toMatchObject({ connections: 0, routes: 0, pendingHandshakes: 0 });
  expect((await server.usage()).resources).toEqual(resources);
});

test(`[TC-08] ${CYCLES} cycles of opening and closing ${PER_CYCLE} connections leave memory flat, and no route, timer or handle`, {
  timeout: TIMEOUT_MS,
}, async ({ annotate }) => {
  await using server = await MemoryServer.start();
  await using crowd = new Crowd(server.port);
  const { resources } = await warmUp(server, crowd);
  const after: Usage[] = [];
  for (let cycle = 1; cycle <= CYCLES; cycle++) {
    await crowd.grow(PER_CYCLE);
    expect((await server.progress()).connections).toBe(PER_CYCLE);
    const usage = await empty(server, crowd);
    expect(usage).toMatchObject({ connections: 0, routes: 0, pendingHandshakes: 0 });
    expect(usage.resources).toEqual(resources);
    after.push(usage);
  }
  for (const what of ['rssBytes', 'knownBytes'] as const) {
    const course = after.map((usage) => usage[what]);
    await annotate(`${what} after each cycle, MiB: ${course.map((bytes) => (bytes / MIB).toFixed(1)).join(' ')}`);
    expect(median(course.slice(...LATE)) - median(course.slice(...EARLY))).toBeLessThanOrEqual(FLAT[what]);
  }
});

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}
