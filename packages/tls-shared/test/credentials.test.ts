import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { inspect } from 'node:util';
import { TransportError } from '@stanzaport/core';
import { createTestCa, type TestCredential, writePemFiles } from '@stanzaport/testing';
import { type CredentialOptions, CredentialStore } from '@stanzaport/tls-shared';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recordingLogger } from './tools/recording-logger.ts';

const ca = await createTestCa();
const exact = await ca.issue({ dnsNames: ['a.example'] });
const wildcard = await ca.issue({ dnsNames: ['*.a.example', 'b.example'] });
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stanzaport-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('choice by server name', () => {
  const store = new CredentialStore([options(wildcard), options(exact, 'x.a.example', 'a.example')]);

  test.each([
    ['a.example', exact],
    ['A.Example', exact],
    ['x.a.example', exact],
    ['y.a.example', wildcard],
    ['b.example', wildcard],
    ['c.example', null],
    ['x.y.a.example', null],
    ['*.a.example', null],
    ['example', null],
    ['192.0.2.1', null],
    ['', null],
    ['a.example\0.b.example', null],
  ])('[POL-02] %j', (serverName, expected) => {
    const credential = store.select(serverName);
    expect(credential?.leaf.raw.toString('hex')).toBe(expected === null ? undefined : hex(expected.der));
    expect(store.serves(serverName)).toBe(expected !== null);
  });

  test('[CERT-25] a Unicode domain answers its A-label', async () => {
    const credential = await ca.issue({ dnsNames: ['xn--bcher-kva.example'] });
    const unicode = new CredentialStore([options(credential, 'bücher.example')]);
    expect(unicode.domains).toEqual(['xn--bcher-kva.example']);
    expect(unicode.serves('xn--bcher-kva.example')).toBe(true);
  });

  test('[CERT-25] without a domain the certificate tells all it is for', async () => {
    const credential = await ca.issue({
      dnsNames: ['*.A.example', 'a b'],
      srvNames: ['_xmpp-server.b.example'],
      xmppAddrs: ['c.example', 'u@d.example'],
    });
    expect(new CredentialStore([options(credential)]).domains).toEqual(['*.a.example', 'b.example', 'c.example']);
  });

  test('[CERT-25] a domain that is named goes before one that only a certificate has', () => {
    const named = new CredentialStore([options(exact), options(wildcard, 'a.example')]);
    expect(named.select('a.example')?.leaf.raw.toString('hex')).toBe(hex(wildcard.der));
  });

  test('[CERT-25] an empty store serves nothing', () => {
    const empty = new CredentialStore();
    expect(empty.domains).toEqual([]);
    expect(empty.serves('a.example')).toBe(false);
  });
});

describe('credential', () => {
  test('[CERT-25] files and text give what a TLS stack takes: chain, key, leaf', async () => {
    const files = await writePemFiles(folder, 'good', exact);
    for (const given of [files, { cert: exact.chainPem, key: exact.keyPem }]) {
      const credential = new CredentialStore([given]).select('a.example');
      expect(credential?.chainDer.map(hex)).toEqual(exact.chainDer.map(hex));
      expect(credential?.chainPem.toString()).toBe(exact.chainPem);
      expect(() => createSecureContext({ cert: credential?.chainPem, key: credential?.keyPem })).not.toThrow();
    }
  });

  test('[CERT-25] one file can hold key and certificates', async () => {
    const file = join(folder, 'both.pem');
    await writeFile(file, `${exact.keyPem}${exact.chainPem}`);
    const credential = new CredentialStore([{ cert: file, key: file }]).select('a.example');
    expect(credential?.chainPem.toString()).toBe(exact.chainPem);
  });

  test('[POL-09] it prints without its key', () => {
    const credential = new CredentialStore([options(exact)]).select('a.example');
    const body = exact.keyPem.split('\n')[1] as string;
    const printed = `${inspect(credential, { depth: 9, showHidden: true })}${JSON.stringify(credential)}`;
    expect(printed).toContain('a.example');
    expect(printed).not.toContain(body);
    expect(printed).not.toContain(Buffer.from(exact.keyPem).subarray(28, 40).join(','));
    expect(printed).not.toContain(
      Buffer.from(exact.keyPem)
        .subarray(28, 40)
        .toString('hex')
        .replace(/..(?!$)/g, '$& '),
    );
  });
});

describe('what cannot be served', () => {
  test('[CERT-24] the error names the file, never the key', async () => {
    const good = await writePemFiles(folder, 'good', exact);
    const other = await writePemFiles(folder, 'other', wildcard);
    const rubbish = join(folder, 'rubbish.pem');
    const secret = randomBytes(24).toString('base64');
    await writeFile(rubbish, `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----\n`);
    const absent = join(folder, 'absent.pem');
    const cases: [CredentialOptions, string][] = [
      [{ cert: absent, key: good.key }, absent],
      [{ cert: good.cert, key: absent }, absent],
      [{ cert: folder, key: good.key }, folder],
      [{ cert: rubbish, key: good.key }, rubbish],
      [{ cert: good.cert, key: rubbish }, rubbish],
      [{ cert: good.cert, key: other.key }, other.key],
      [{ cert: good.cert, key: good.cert }, good.cert],
      [{ cert: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----', key: good.key }, 'credentials[0].cert'],
      [{ cert: '-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----', key: good.key }, 'credentials[0].cert'],
    ];
    for (const [given, place] of cases) {
      const error = thrownBy(() => new CredentialStore([given]));
      expect(error.code).toBe('XMPP_BAD_CREDENTIAL');
      expect(error.message).toContain(place);
      expect(inspect(error, { depth: 9 })).not.toContain(secret);
    }
  });

  test('[CERT-24] a certificate that names no domain needs one to be given', async () => {
    const nameless = await ca.issue({ commonName: 'a.example' });
    expect(thrownBy(() => new CredentialStore([options(nameless)])).code).toBe('XMPP_BAD_CREDENTIAL');
    expect(new CredentialStore([options(nameless, 'a.example')]).serves('a.example')).toBe(true);
  });

  test.each([[['192.0.2.1']], [['a b']], [['']], [['x.*.example']], [['a.example', 'A.example.']], [[]]])(
    '[CERT-24] domain %j is a config error',
    (domains) => {
      const error = thrownBy(() => new CredentialStore([{ ...options(exact), domain: domains }]));
      expect(error.code).toBe('XMPP_BAD_OPTION');
      expect(error.message).toContain('credentials[0].domain');
    },
  );

  test('[CERT-24] one domain cannot have two credentials', () => {
    const twice = [options(exact, 'a.example'), options(wildcard, 'a.example')];
    expect(thrownBy(() => new CredentialStore(twice)).message).toContain('credentials[1].domain');
  });

  test('[CERT-24] what is expired, early, or for other names is served with a warning', async () => {
    const { logger, records } = recordingLogger();
    const expired = await ca.issueBad('expired', 'a.example');
    const early = await ca.issueBad('not-yet-valid', 'b.example');
    new CredentialStore([options(expired), options(early), options(exact, 'c.example'), options(wildcard)], logger);
    expect(records.map(({ message }) => message)).toEqual([
      'The certificate has expired',
      'The certificate is not yet valid',
      'The certificate does not name these domains',
    ]);
  });

  test('[CERT-24] credentials can be replaced; a bad new set leaves the old one in force', () => {
    const store = new CredentialStore([options(exact)]);
    const before = store.select('a.example');
    expect(() => store.replace([options(wildcard), { cert: exact.chainPem, key: wildcard.keyPem }])).toThrow(
      TransportError,
    );
    expect(store.select('a.example')).toBe(before);
    expect(store.serves('b.example')).toBe(false);
    store.replace([options(wildcard)]);
    expect(store.serves('a.example')).toBe(false);
    expect(store.serves('b.example')).toBe(true);
    expect(before?.chainPem.toString()).toBe(exact.chainPem);
  });
});

function options({ chainPem, keyPem }: TestCredential, ...domain: readonly string[]): CredentialOptions {
  return { cert: chainPem, key: keyPem, ...(domain.length > 0 && { domain }) };
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function thrownBy(action: () => unknown): TransportError {
  try {
    action();
  } catch (error) {
    if (error instanceof TransportError) return error;
    throw error;
  }
  throw new Error('Nothing was thrown');
}
