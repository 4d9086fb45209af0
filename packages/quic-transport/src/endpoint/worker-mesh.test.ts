import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { HandedDatagram } from './hand-over-frames.ts';
import { WorkerFolder } from './worker-folder.ts';
import { WorkerMesh } from './worker-mesh.ts';

let path: string;
let folder: WorkerFolder;
const meshes: WorkerMesh[] = [];

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'mesh-'));
  folder = new WorkerFolder(path);
});

afterEach(async () => {
  await Promise.all(meshes.splice(0).map((mesh) => mesh.close()));
  await rm(path, { recursive: true });
});

async function open(number: number, onHanded: (handed: HandedDatagram) => void = () => undefined): Promise<WorkerMesh> {
  const mesh = await WorkerMesh.open({ folder, port: '443', number }, onHanded);
  meshes.push(mesh);
  mesh.ready();
  return mesh;
}

function handed(datagram: Buffer): HandedDatagram {
  return { datagram, remoteAddress: '192.0.2.7', remotePort: 5_222, localAddress: '127.0.0.1' };
}

const takersOf = (all: readonly WorkerMesh[]): (readonly number[])[] => all.map(({ takers }) => takers);

test('[QT-20] workers know each other, whatever the order they start in, and learn who drains and who is gone', async () => {
  const first = await Promise.all([2, 0].map((number) => open(number)));
  const all = [...first, await open(1)];
  await expect
    .poll(() => takersOf(all))
    .toEqual([
      [0, 1, 2],
      [0, 1, 2],
      [0, 1, 2],
    ]);
  all[1]?.drain();
  await expect
    .poll(() => takersOf(all))
    .toEqual([
      [1, 2],
      [1, 2],
      [1, 2],
    ]);
  expect(all[0]?.find(0)).toBeDefined();
  const late = await open(9);
  await expect.poll(() => late.takers).toEqual([1, 2, 9]);
  await all[1]?.close();
  await expect.poll(() => all[0]?.find(0)).toBeUndefined();
});

test('[QT-20] one that has started and does not listen yet is given no new clients', async () => {
  const first = await open(0);
  const starting = await WorkerMesh.open({ folder, port: '443', number: 1 }, () => undefined);
  meshes.push(starting);
  await expect.poll(() => first.find(1)).toBeDefined();
  await expect.poll(() => takersOf([first, starting])).toEqual([[0], [0]]);
  starting.ready();
  await expect
    .poll(() => takersOf([first, starting]))
    .toEqual([
      [0, 1],
      [0, 1],
    ]);
});

test('[QT-20] what is handed on arrives as it was, in order', async () => {
  const arrived: HandedDatagram[] = [];
  await open(0, (one) => arrived.push(one));
  const sender = await open(1);
  const sent = Array.from({ length: 500 }, (_, index) => handed(Buffer.alloc(index * 3, index)));
  for (const one of sent) expect(sender.find(0)?.hand(one)).toBe(true);
  await expect.poll(() => arrived.length).toBe(sent.length);
  expect(arrived).toEqual(sent.map((one) => ({ type: 'datagram', ...one })));
});

test('[QT-20] what waits for one that does not read is bounded', async () => {
  const arrived: HandedDatagram[] = [];
  await open(0, (one) => arrived.push(one));
  const link = (await open(1)).find(0);
  const datagram = Buffer.alloc(1_350);
  let taken = 0;
  // All in one turn of the event loop, in which nobody can read.
  for (let count = 0; count < 10_000; count++) if (link?.hand(handed(datagram))) taken += 1;
  expect(taken).toBeLessThan(3_300);
  expect(taken).toBeGreaterThan(3_000);
  await expect.poll(() => arrived.length).toBe(taken);
  expect(link?.hand(handed(datagram))).toBe(true);
});

test('[QT-20] one that talks nonsense is shut out, and does no harm', async () => {
  const mesh = await open(0);
  for (const nonsense of [Buffer.alloc(64, 0xff), Buffer.of(1, 0, 0, 0, 9)]) {
    const socket = connect(folder.doorOf('443', 0));
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => undefined).resume();
    socket.write(nonsense);
    await closed;
  }
  expect(mesh.takers).toEqual([0]);
  await open(1);
  await expect.poll(() => mesh.takers).toEqual([0, 1]);
});
