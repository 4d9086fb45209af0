import { mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { coreModule, TransportError } from '@stanzaport/core';
import { createTestCa, type PemFiles, type TestCredential, writePemFiles } from '@stanzaport/testing';
import {
  CREDENTIALS,
  type CredentialReload,
  CredentialStore,
  DEFAULT_CREDENTIAL_WATCH,
  tlsModule,
} from '@stanzaport/tls-shared';
import 'reflect-metadata';
import { Container } from 'inversify';
import { filter, firstValueFrom, lastValueFrom, toArray } from 'rxjs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { recordingLogger } from './tools/recording-logger.ts';

const ca = await createTestCa();
const issue = (...dnsNames: readonly string[]): Promise<TestCredential> => ca.issue({ dnsNames });
const [first, second, third] = await Promise.all([issue('a.example'), issue('a.example'), issue('a.example')]);
const other = await issue('b.example');

const watch = { intervalMs: 5 };
let folder: string;
let stores: CredentialStore[];
let files: PemFiles;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stanzaport-'));
  stores = [];
  files = await writePemFiles(folder, 'a', first);
});
afterEach(async () => {
  for (const store of stores) store.close();
  await rm(folder, { recursive: true });
});

function open(...parameters: ConstructorParameters<typeof CredentialStore>): CredentialStore {
  const store = new CredentialStore(...parameters);
  stores.push(store);
  return store;
}

const presents = (store: CredentialStore, domain = 'a.example'): string | undefined =>
  store.select(domain)?.leaf.raw.toString('hex');
const hex = ({ der }: TestCredential): string => Buffer.from(der).toString('hex');

/** The next reload of this type, counted from now. */
const next = (store: CredentialStore, type: CredentialReload['type'] = 'replaced'): Promise<CredentialReload> =>
  firstValueFrom(store.reloads$.pipe(filter((reload) => reload.type === type)));

/** As editors do it: a new file takes the name of the old one. */
async function put(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

async function putBoth({ cert, key }: PemFiles, { chainPem, keyPem }: TestCredential): Promise<void> {
  await put(cert, chainPem);
  await put(key, keyPem);
}

describe('files that are watched', () => {
  test('[CERT-24] replaced by a rename: the new ones are served; what was handed out stays as it was', async () => {
    const store = open([files], undefined, { watch });
    const before = store.select('a.example');
    for (const credential of [second, third, first]) {
      const replaced = next(store);
      await putBoth(files, credential);
      expect(await replaced).toEqual({ type: 'replaced', credential: store.select('a.example') });
      expect(presents(store)).toBe(hex(credential));
    }
    expect(before?.chainPem.toString()).toBe(first.chainPem);
  });

  test('[CERT-24] written in place', async () => {
    const store = open([files], undefined, { watch });
    const replaced = next(store);
    await writePemFiles(folder, 'a', second);
    await replaced;
    expect(presents(store)).toBe(hex(second));
  });

  test('[CERT-24] symbolic links that get another target, as certbot has them', async () => {
    await writePemFiles(join(folder, 'archive'), '1', first);
    await writePemFiles(join(folder, 'archive'), '2', second);
    const live = { cert: join(folder, 'live.crt'), key: join(folder, 'live.key') };
    const linkTo = async (path: string, target: string): Promise<void> => {
      await symlink(target, `${path}.new`);
      await rename(`${path}.new`, path);
    };
    await linkTo(live.cert, 'archive/1.crt');
    await linkTo(live.key, 'archive/1.key');
    const store = open([live], undefined, { watch });
    const replaced = next(store);
    await linkTo(live.cert, 'archive/2.crt');
    await linkTo(live.key, 'archive/2.key');
    await replaced;
    expect(presents(store)).toBe(hex(second));
  });

  test('[CERT-24] a link in the middle of the path, as Kubernetes swaps the files of a secret', async () => {
    for (const [name, credential] of [
      ['..1', first],
      ['..2', second],
    ] as const) {
      await writePemFiles(join(folder, name), 'tls', credential);
    }
    await symlink('..1', join(folder, '..data'));
    const mounted = { cert: join(folder, 'tls.crt'), key: join(folder, 'tls.key') };
    await symlink('..data/tls.crt', mounted.cert);
    await symlink('..data/tls.key', mounted.key);
    const store = open([mounted], undefined, { watch });
    const replaced = next(store);
    await symlink('..2', join(folder, '..data_tmp'));
    await rename(join(folder, '..data_tmp'), join(folder, '..data'));
    await replaced;
    expect(presents(store)).toBe(hex(second));
  });

  test.each([
    ['certificate', 'key'],
    ['key', 'certificate'],
  ])('[CERT-24] %s first, then the %s: the old pair stays until both fit', async (earlier) => {
    const { logger, records } = recordingLogger();
    const store = open([files], logger, { watch });
    const putCert = (): Promise<void> => put(files.cert, second.chainPem);
    const putKey = (): Promise<void> => put(files.key, second.keyPem);
    const kept = next(store, 'kept');
    await (earlier === 'key' ? putKey() : putCert());
    const { credential, error } = (await kept) as CredentialReload & { error: TransportError };
    expect(credential).toBe(store.select('a.example'));
    expect(error).toMatchObject({ code: 'XMPP_BAD_CREDENTIAL', message: expect.stringContaining(files.key) });
    expect(presents(store)).toBe(hex(first));
    const replaced = next(store);
    await (earlier === 'key' ? putCert() : putKey());
    await replaced;
    expect(presents(store)).toBe(hex(second));
    expect(records).toEqual([
      expect.objectContaining({ level: 'warn', fields: { domains: ['a.example'], err: error } }),
    ]);
  });

  test('[CERT-24] a broken file: the old one stays, the others change, and it is said once', async () => {
    const { logger, records } = recordingLogger();
    const fine = await writePemFiles(folder, 'b', other);
    const store = open([files, fine], logger, { watch });
    const secret = first.keyPem.split('\n')[1] as string;
    const kept = next(store, 'kept');
    await put(files.key, `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----\n`);
    expect(await kept).toMatchObject({ error: { message: expect.stringContaining(files.key) } });
    // Two more changes of another file: between them the broken one has been looked at again.
    for (const _ of [1, 2]) {
      const renewed = await issue('b.example');
      const replaced = next(store);
      await putBoth(fine, renewed);
      await replaced;
      expect(presents(store, 'b.example')).toBe(hex(renewed));
    }
    expect(presents(store)).toBe(hex(first));
    expect(records.filter(({ fields }) => inspect(fields).includes(files.key))).toHaveLength(1);
    expect(inspect(records, { depth: 9 })).not.toContain(secret);
    const repaired = next(store);
    await putBoth(files, second);
    await repaired;
    expect(presents(store)).toBe(hex(second));
  });

  test('[CERT-24] a file that is gone for a while', async () => {
    const store = open([files], undefined, { watch });
    const kept = next(store, 'kept');
    await rm(files.cert);
    expect(await kept).toMatchObject({ error: { message: `${files.cert} cannot be read` } });
    expect(presents(store)).toBe(hex(first));
    const replaced = next(store);
    await putBoth(files, second);
    await replaced;
    expect(presents(store)).toBe(hex(second));
  });

  test('[CERT-25] a certificate for other names: those are served from now on, the rest no longer', async () => {
    const store = open([files], undefined, { watch });
    const replaced = next(store);
    await putBoth(files, await issue('a.example', '*.c.example'));
    await replaced;
    expect(store.domains).toEqual(['a.example', '*.c.example']);
    const back = next(store);
    await putBoth(files, other);
    await back;
    expect(store.serves('a.example')).toBe(false);
    expect(store.domains).toEqual(['b.example']);
  });

  test('[CERT-24] after replace, the files of the new set; after one that failed, still those of the old', async () => {
    const store = open([files], undefined, { watch });
    await putBoth(files, second);
    const missed = next(store);
    expect(() => store.replace([files, { cert: join(folder, 'absent'), key: files.key }])).toThrow(TransportError);
    await missed;
    expect(presents(store)).toBe(hex(second));

    const moved = await writePemFiles(folder, 'moved', third);
    store.replace([moved]);
    expect(presents(store)).toBe(hex(third));
    const replaced = next(store);
    await putBoth(files, other);
    await putBoth(moved, first);
    await replaced;
    expect(presents(store)).toBe(hex(first));
    expect(store.domains).toEqual(['a.example']);
  });

  test('[CERT-24] a subscriber that fails is logged, and the next change comes all the same', async () => {
    const { logger, records } = recordingLogger();
    const store = open([files], logger, { watch });
    store.reloads$.subscribe(() => {
      throw new Error('of the subscriber');
    });
    for (const credential of [second, third]) {
      const replaced = next(store);
      await putBoth(files, credential);
      await replaced;
      expect(presents(store)).toBe(hex(credential));
    }
    expect(records.map(({ message }) => message)).toContain('a handler of reloaded credentials failed');
  });

  test('[TC-08] watching keeps no process alive, and ends with close', async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    const store = open([files], undefined, { watch: true });
    expect(timers()).toBe(before);
    const told = lastValueFrom(store.reloads$.pipe(toArray()));
    store.close();
    store.close();
    expect(await told).toEqual([]);
    expect(presents(store)).toBe(hex(first));
  });

  test('[TC-08] a store that is closed looks at nothing any more', async () => {
    const closed = open([files], undefined, { watch });
    const watching = open([files], undefined, { watch });
    closed.close();
    for (const credential of [second, third]) {
      const replaced = next(watching);
      await putBoth(files, credential);
      await replaced;
      expect(presents(watching)).toBe(hex(credential));
    }
    expect(presents(closed)).toBe(hex(first));
    // By call it still can be asked.
    expect(closed.reload()).toMatchObject([{ type: 'replaced' }]);
  });

  test('[CERT-24] by option of the module, until the container lets the store go', async () => {
    const container = new Container();
    container.load(coreModule(), tlsModule({ credentials: [files], watch }));
    const store = container.get<CredentialStore>(CREDENTIALS);
    stores.push(store);
    expect(presents(store)).toBe(hex(first));
    const replaced = next(store);
    await putBoth(files, second);
    await replaced;
    expect(presents(store)).toBe(hex(second));
    const ended = lastValueFrom(store.reloads$, { defaultValue: 'ended' });
    await container.unbind(CREDENTIALS);
    expect(await ended).toBe('ended');
  });

  test.each([0, -1, 1.5, Number.NaN, 2 ** 31])('[CERT-24] an interval of %d ms is a config error', (intervalMs) => {
    const error = { code: 'XMPP_BAD_OPTION', message: expect.stringContaining('watch.intervalMs') };
    expect(() => tlsModule({ watch: { intervalMs } })).toThrow(expect.objectContaining(error));
    expect(() => new CredentialStore([], undefined, { watch: { intervalMs } })).toThrow(expect.objectContaining(error));
    expect(DEFAULT_CREDENTIAL_WATCH).toEqual({ intervalMs: 5_000 });
  });
});

describe('reload by call', () => {
  test('[CERT-24] [GW-13] takes what has changed and nothing else', async () => {
    const fine = await writePemFiles(folder, 'b', other);
    const inOptions = { domain: 'c.example', cert: third.chainPem, key: third.keyPem };
    const store = open([files, fine, inOptions]);
    const unchanged = [store.select('b.example'), store.select('c.example')];
    expect(store.reload()).toEqual([]);
    await putBoth(files, second);
    expect(presents(store)).toBe(hex(first));
    const told = next(store);
    expect(store.reload()).toEqual([await told]);
    expect(presents(store)).toBe(hex(second));
    // The very same objects: a transport goes on with what it has made of them.
    expect(store.select('b.example')).toBe(unchanged[0]);
    expect(store.select('c.example')).toBe(unchanged[1]);
  });

  test('[CERT-24] [GW-13] a broken file is told at each call, and the others are taken', async () => {
    const fine = await writePemFiles(folder, 'b', other);
    const store = open([files, fine]);
    const renewed = await issue('b.example');
    await put(files.cert, 'rubbish');
    await putBoth(fine, renewed);
    expect(store.reload().map(({ type }) => type)).toEqual(['kept', 'replaced']);
    expect(store.reload().map(({ type }) => type)).toEqual(['kept']);
    expect(presents(store)).toBe(hex(first));
    expect(presents(store, 'b.example')).toBe(hex(renewed));
  });

  test('[CERT-24] before the files were ever needed there is nothing to reload', async () => {
    await rm(files.cert);
    const store = open([files], undefined, { reads: 'on-first-use' });
    expect(store.reload()).toEqual([]);
    await put(files.cert, first.chainPem);
    expect(presents(store)).toBe(hex(first));
  });
});

describe('what a transport cannot use', () => {
  /** Stands for an engine that takes no certificate but the first two. */
  const check = ({ leaf }: { readonly leaf: { readonly raw: Buffer } }): void => {
    if (![first, second].some((credential) => hex(credential) === leaf.raw.toString('hex'))) {
      throw new Error('not with this engine');
    }
  };

  test('[CERT-24] does not take the place of what it can', async () => {
    const store = open([files]);
    const release = store.checkWith(check);
    await putBoth(files, second);
    expect(store.reload()).toMatchObject([{ type: 'replaced' }]);
    await putBoth(files, third);
    const error = { code: 'XMPP_BAD_CREDENTIAL', message: expect.stringContaining('not with this engine') };
    expect(store.reload()).toMatchObject([{ type: 'kept', error }]);
    expect(() => store.replace([files])).toThrow(expect.objectContaining(error));
    expect(() => store.replace([files])).toThrow(files.cert);
    expect(presents(store)).toBe(hex(second));
    release();
    expect(store.reload()).toMatchObject([{ type: 'replaced' }]);
    expect(presents(store)).toBe(hex(third));
  });

  test('[CERT-24] is told when the transport begins, and not asked about later', async () => {
    const store = open([files, await writePemFiles(folder, 'b', other)]);
    expect(() => store.checkWith(check)).toThrow(expect.objectContaining({ code: 'XMPP_BAD_CREDENTIAL' }));
    await putBoth(files, third);
    expect(store.reload()).toMatchObject([{ type: 'replaced' }]);
  });
});
