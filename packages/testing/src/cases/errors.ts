import assert from 'node:assert/strict';
import { assertFails } from './assertions.ts';
import type { CaseDefinition } from './case-definition.ts';
import { NOBODY_THERE } from './listening.ts';

/** TC-09: the faults every transport can meet, and their categories. */
export const errorCases: readonly CaseDefinition[] = [
  {
    requirement: 'TC-09',
    title: 'connecting where nobody listens is refused, unreachable or timeout',
    limits: { handshakeTimeoutMs: 300 },
    async run(scene) {
      const listener = await scene.listenOnly();
      await scene.wait('close()', listener.close({ drainMs: 1 }));
      const { client, domain } = scene.pair;
      const connecting = client.connect(scene.pair.target(listener.address, domain, 'c2s'));
      const error = await assertFails(scene.wait('connect()', connecting), ...NOBODY_THERE);
      assert.ok(error.message.includes(String(listener.address.port)), `the message names the port: ${error.message}`);
    },
  },
  {
    requirement: 'TC-09',
    title: 'listening on what is no local address is config, and names it',
    async run(scene) {
      // TEST-NET-1 of RFC 5737, which no host has.
      const listening = scene.pair.server.listen({ ...scene.pair.listenOptions, host: '192.0.2.1', port: 0 });
      const error = await assertFails(scene.wait('listen()', listening), 'config');
      assert.ok(error.message.includes('192.0.2.1'), error.message);
    },
    skipFor: ({ bindsLocalAddresses }) => (bindsLocalAddresses ? null : 'it has no addresses of its own'),
  },
  {
    requirement: 'TC-09',
    title: 'a kind the listener does not accept is alpn',
    skipFor: ({ kinds }) => (kinds.length > 1 ? null : 'there is one kind only'),
    limits: { handshakeTimeoutMs: 2_000 },
    async run(scene) {
      const listener = await scene.listen({ kinds: ['s2s'] });
      const { client, domain } = scene.pair;
      const connecting = client.connect(scene.pair.target(listener.address, domain, 'c2s'));
      await assertFails(scene.wait('connect()', connecting), 'alpn');
      await scene.connect(listener, 's2s');
    },
  },
  {
    requirement: 'TC-09',
    title: 'a domain the server does not prove is certificate or tls',
    skipFor: ({ provesDomain }) => (provesDomain ? null : 'no domain is proved'),
    async run(scene) {
      const listener = await scene.listen();
      const target = scene.pair.target(listener.address, 'not-served.example', 'c2s');
      // A server may refuse the unknown name itself: unrecognized_name (RFC 6066 §3).
      await assertFails(scene.wait('connect()', scene.pair.client.connect(target)), 'certificate', 'tls');
      await scene.connect(listener);
    },
  },
  {
    requirement: 'TC-09',
    title: 'an option that cannot be is config',
    async run(scene) {
      const listening = scene.pair.server.listen({ ...scene.pair.listenOptions, port: 65_536 });
      await assertFails(scene.wait('listen()', listening), 'config');
    },
  },
];
