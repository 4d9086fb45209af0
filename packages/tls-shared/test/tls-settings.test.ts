import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type ConnectionOptions, connect, createServer, type Server, type TLSSocket } from 'node:tls';
import { createTestCa } from '@stanzaport/testing';
import { NODE_TLS_OPTIONS, TLS_SETTINGS } from '@stanzaport/tls-shared';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { constructedTag, readWhole, TAG } from '../src/der.ts';

const ca = await createTestCa();
const credentials = [
  await ca.issue({ dnsNames: ['a.example'] }),
  await ca.issue({ dnsNames: ['a.example'], keyAlgorithm: 'rsa-2048' }),
];
let server: Server;

beforeAll(async () => {
  server = createServer({
    ...NODE_TLS_OPTIONS,
    cert: credentials.map(({ chainPem }) => chainPem),
    key: credentials.map(({ keyPem }) => keyPem),
  });
  // The peers below fail on purpose; each test looks at its own end.
  server.on('tlsClientError', () => undefined);
  server.on('secureConnection', (socket) => socket.on('error', () => socket.destroy()).resume());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(async () => {
  server.close();
  await once(server, 'close');
});

/** Security level 0, so that OpenSSL itself lets a client be as weak as a test wants it. */
const WEAK = { minVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' } as const;

function dial(options: ConnectionOptions): TLSSocket {
  const { port } = server.address() as AddressInfo;
  return connect({ port, host: '127.0.0.1', servername: 'a.example', ca: ca.rootPem, ...options });
}

async function handshake(
  options: ConnectionOptions,
): Promise<{ version: string | null; cipher: string; group: string }> {
  const socket = dial(options);
  await once(socket, 'secureConnect');
  const { name = '' } = socket.getEphemeralKeyInfo() as { name?: string };
  const facts = { version: socket.getProtocol(), cipher: socket.getCipher().standardName, group: name };
  socket.resume().end();
  await once(socket, 'close');
  return facts;
}

/** The number of the alert that a client is refused with. */
async function refusal(options: ConnectionOptions): Promise<number | null> {
  const [error] = (await once(dial(options), 'error')) as [Error];
  const [, number] = /alert number (\d+)/.exec(error.message) ?? [];
  return number === undefined ? null : Number(number);
}

describe('TLS over TCP (RFC 9325)', () => {
  test('[POL-01] of TLS 1.2 and 1.3 the newer is chosen, 1.2 alone is good too', async () => {
    expect(await handshake({})).toEqual({ version: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', group: 'X25519' });
    expect(await handshake(NODE_TLS_OPTIONS)).toMatchObject({ version: 'TLSv1.3', group: 'X25519' });
    expect(await handshake({ maxVersion: 'TLSv1.2' })).toEqual({
      version: 'TLSv1.2',
      cipher: 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
      group: 'X25519',
    });
  });

  test.each(['TLSv1', 'TLSv1.1'] as const)(
    '[POL-01] a client with at most %s gets protocol_version',
    async (maxVersion) => {
      expect(await refusal({ ...WEAK, maxVersion })).toBe(70);
    },
  );

  test.each([
    ['CBC', 'ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:ECDHE-RSA-AES128-SHA'],
    ['no forward secrecy', 'AES128-GCM-SHA256:AES256-GCM-SHA384'],
    ['no encryption', 'ECDHE-ECDSA-NULL-SHA:ECDHE-RSA-NULL-SHA:NULL-SHA256'],
    ['nobody authenticated', 'AECDH-AES128-SHA:ADH-AES128-GCM-SHA256'],
    ['finite field groups', 'DHE-RSA-AES128-GCM-SHA256'],
    ['CCM', 'ECDHE-ECDSA-AES128-CCM:ECDHE-ECDSA-AES128-CCM8'],
  ])('[POL-01] a client with suites of %s alone gets handshake_failure', async (_, ciphers) => {
    expect(await refusal({ ...WEAK, maxVersion: 'TLSv1.2', ciphers: `${ciphers}:@SECLEVEL=0` })).toBe(40);
  });

  test('[POL-01] the order of the server counts', async () => {
    const { cipher } = await handshake({
      maxVersion: 'TLSv1.2',
      ciphers: 'ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256',
    });
    expect(cipher).toBe('TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256');
  });

  test('[POL-01] a group that is not on the list is not used', async () => {
    expect(await refusal({ ...WEAK, maxVersion: 'TLSv1.2', ecdhCurve: 'secp224r1' })).toBe(40);
    expect(await handshake({ ecdhCurve: 'P-384' })).toMatchObject({ group: 'secp384r1' });
  });

  test('[POL-01] [CERT-12] a client that can verify nothing but SHA-1 is refused', async () => {
    expect(await refusal({ ...WEAK, maxVersion: 'TLSv1.2', sigalgs: 'RSA+SHA1:ECDSA+SHA1' })).toBe(40);
  });

  test('[POL-01] renegotiation is refused', async () => {
    const socket = dial({ maxVersion: 'TLSv1.2' });
    await once(socket, 'secureConnect');
    const failed = once(socket, 'error');
    socket.renegotiate({}, () => undefined);
    const [error] = (await failed) as [Error];
    expect(error.message).toMatch(/renegotiation/i);
    socket.destroy();
  });

  test('[POL-05] no ticket allows early data', async () => {
    const socket = dial({});
    const [session] = (await once(socket, 'session')) as [Buffer];
    socket.resume().end();
    await once(socket, 'close');
    // Of the fields of an SSL_SESSION of OpenSSL [14] is there in TLS 1.3, and [15], max_early_data, where it is not zero.
    const fields = readWhole(derIn(session), TAG.sequence).all((reader) => reader.next().tag);
    expect(fields).toContain(constructedTag(14));
    expect(fields).not.toContain(constructedTag(15));
  });
});

/** The SSL_SESSION of OpenSSL: all that Node.js gives, or since version 26 what stands behind a few words of its own. */
function derIn(session: Buffer): Buffer {
  for (let start = 0; start < session.length - 4; start++) {
    const isLongSequence = session.readUInt16BE(start) === 0x3082;
    if (isLongSequence && start + 4 + session.readUInt16BE(start + 2) === session.length)
      return session.subarray(start);
  }
  return session;
}

test('[POL-01] the settings cannot be changed', () => {
  expect(Object.isFrozen(TLS_SETTINGS)).toBe(true);
  expect(Object.isFrozen(NODE_TLS_OPTIONS)).toBe(true);
  for (const setting of Object.values(TLS_SETTINGS)) expect(Object.isFrozen(setting)).toBe(true);
});
