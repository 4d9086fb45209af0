import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { Engine, EngineConfigOptions } from '../../../src/engine/port.ts';
import { testCredentials } from '../credentials.ts';
import { casesWith, type EngineCase } from '../engine-case.ts';
import { acceptOptions, clientOptions, connectedPair, connectOptions, failureOf, serverOptions } from '../harness.ts';

const NO_BYTES = new Uint8Array(0);

/** What may be given to an engine, and what it says to the rest. */
export const configurationCases = (create: () => Engine): EngineCase[] =>
  casesWith(create, [
    [
      'Q-10',
      'ALPN is needed, in names of 1 to 255 bytes',
      (engine) => {
        for (const alpn of [[], [''], ['xmpp-client', ''], ['x'.repeat(256)]]) {
          assert.equal(failureOf(() => engine.createConfig(clientOptions({ alpn }))).failure, 'misuse');
        }
        engine.createConfig(clientOptions({ alpn: ['x'.repeat(255)] }));
      },
    ],
    [
      'CERT-01',
      'a credential that cannot work is refused at once',
      async (engine) => {
        const { server, client } = await testCredentials();
        const wrong: EngineConfigOptions['credential'][] = [
          null,
          { chainPem: NO_BYTES, keyPem: NO_BYTES },
          { chainPem: server.chainPem, keyPem: NO_BYTES },
          { chainPem: NO_BYTES, keyPem: server.keyPem },
          { chainPem: server.chainPem, keyPem: client.keyPem },
          { chainPem: server.keyPem, keyPem: server.chainPem },
          { chainPem: randomBytes(500), keyPem: randomBytes(100) },
        ];
        for (const credential of wrong) {
          const options = await serverOptions({ credential });
          assert.equal(failureOf(() => engine.createConfig(options)).failure, 'misuse');
        }
      },
    ],
    [
      'QT-20',
      'numbers out of range are brought into it, and connections still work',
      async (engine) => {
        const numbers = [
          'idleTimeoutMs',
          'maxDatagramBytes',
          'streamWindowBytes',
          'maxStreamWindowBytes',
          'maxPeerStreams',
          'activeConnectionIdLimit',
        ] as const;
        for (const value of [
          -1,
          Number.NaN,
          Number.POSITIVE_INFINITY,
          Number.NEGATIVE_INFINITY,
          2 ** 62,
          2 ** 63,
          1e300,
          1500.5,
        ]) {
          const options = Object.fromEntries(numbers.map((name) => [name, value]));
          await connectedPair(engine, { client: options, server: options });
        }
      },
    ],
    [
      'QT-20',
      'connection IDs of 1 to 20 bytes, reset tokens of 16, and a plain server name are taken; nothing else',
      async (engine) => {
        const client = engine.createConfig(clientOptions());
        const server = engine.createConfig(await serverOptions());
        const connect = (changes: object) => failureOf(() => engine.connect(client, connectOptions(changes))).failure;
        const accept = (changes: object) => failureOf(() => engine.accept(server, acceptOptions(changes))).failure;
        for (const bytes of [0, 21, 256]) {
          assert.equal(connect({ sourceConnectionId: randomBytes(bytes) }), 'misuse');
          assert.equal(accept({ sourceConnectionId: randomBytes(bytes) }), 'misuse');
        }
        for (const bytes of [1, 8, 20]) {
          assert.equal(connect({ sourceConnectionId: randomBytes(bytes) }), undefined);
          assert.equal(accept({ sourceConnectionId: randomBytes(bytes) }), undefined);
        }
        for (const bytes of [0, 15, 17]) assert.equal(accept({ resetToken: randomBytes(bytes) }), 'misuse');
        for (const serverName of ['', 'a\0b', 'a b', 'b\u00fccher.example', 'x'.repeat(256)]) {
          assert.equal(connect({ serverName }), 'misuse');
        }
        const address = { host: 'localhost', port: 1 };
        assert.equal(connect({ path: { local: address, remote: address } }), 'misuse');
      },
    ],
    [
      'QT-20',
      'a configuration serves the role it was made for',
      async (engine) => {
        const client = engine.createConfig(clientOptions());
        const server = engine.createConfig(await serverOptions());
        assert.deepEqual([client.role, server.role], ['client', 'server']);
        assert.equal(failureOf(() => engine.connect(server, connectOptions())).failure, 'misuse');
        assert.equal(failureOf(() => engine.accept(client, acceptOptions())).failure, 'misuse');
        assert.equal(failureOf(() => engine.accept({ role: 'server' }, acceptOptions())).failure, 'misuse');
      },
    ],
    [
      'QT-11',
      'stream IDs that are none are refused, and no other stream is touched',
      async (engine) => {
        const { client, server, pump } = await named(engine);
        for (const id of [Number.NaN, -1, 0.5, Number.POSITIVE_INFINITY, 2 ** 62]) {
          assert.equal(failureOf(() => client.write(id, Buffer.from('x'), false)).failure, 'misuse');
          assert.equal(failureOf(() => client.read(id, Buffer.alloc(1))).failure, 'misuse');
          assert.equal(failureOf(() => client.capacity(id)).failure, 'misuse');
          assert.equal(failureOf(() => client.resetWriting(id, 0)).failure, 'misuse');
          assert.equal(failureOf(() => client.stopReading(id, 0)).failure, 'misuse');
          assert.equal(client.isReadable(id), false);
        }
        pump();
        assert.equal(server.hasReadable, false);
      },
    ],
  ]);

async function named(engine: Engine) {
  const pair = await connectedPair(engine);
  return { client: pair.client, server: pair.server, pump: () => pair.pump() };
}
