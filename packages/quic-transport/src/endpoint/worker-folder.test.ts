import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WorkerFolder } from './worker-folder.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'folder-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

test('[QT-20] it is made, nobody else can enter it, and all have the same secret', () => {
  const path = join(folder, 'new', 'one');
  const keys = [1, 2, 3].map(() => new WorkerFolder(path).deriveKey('test'));
  for (const key of keys) expect(key).toEqual(keys[0]);
  expect(keys[0]).toHaveLength(32);
  expect(new WorkerFolder(path).deriveKey('another purpose')).not.toEqual(keys[0]);
  expect(statSync(path).mode & 0o777).toBe(0o700);
  expect(statSync(join(path, 'secret')).mode & 0o777).toBe(0o600);
  expect(readdirSync(path)).toEqual(['secret']);
});

test('[QT-20] each folder has a secret of its own', () => {
  const keys = ['a', 'b'].map((name) => new WorkerFolder(join(folder, name)).deriveKey('test'));
  expect(keys[0]).not.toEqual(keys[1]);
});

test('[QT-20] a folder of no use is refused by name', () => {
  const open = () => new WorkerFolder(folder);
  chmodSync(folder, 0o701);
  expect(open).toThrow(expect.objectContaining({ code: 'XMPP_BAD_OPTION', message: expect.stringContaining(folder) }));
  chmodSync(folder, 0o700);
  writeFileSync(join(folder, 'secret'), 'short');
  expect(open).toThrow('5 bytes instead of 32');
  const file = join(folder, 'file');
  writeFileSync(file, '');
  expect(() => new WorkerFolder(file)).toThrow('EEXIST');
});

test('[QT-20] the doors of one port, and no others', () => {
  const workers = new WorkerFolder(folder);
  for (const name of ['443-aa-0', '443-aa-17', '443-aa-256', '443-aa-x', '443-bb-2', '5222-aa-3']) {
    writeFileSync(join(folder, name), '');
  }
  expect(workers.numbers('443-aa').toSorted()).toEqual([0, 17]);
  expect(workers.doorOf('443-aa', 17)).toBe(join(folder, '443-aa-17'));
  const deep = new WorkerFolder(join(folder, 'x'.repeat(90)));
  expect(() => deep.doorOf('443-aa', 0)).toThrow('too long for a unix socket');
});
