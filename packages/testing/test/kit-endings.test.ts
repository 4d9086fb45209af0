import { type ConnectionSecurity, silentLogger } from '@stanzaport/core';
import { describe, expect, test } from 'vitest';
import {
  type ConformanceSetup,
  type MemoryByteStream,
  MemoryNetwork,
  MemoryTransport,
  memoryConformance,
} from '../src/index.ts';
import {
  breakBytes,
  changing,
  connectionLike,
  failureOf,
  listenerLike,
  same,
  withListen,
  wrap,
} from './tools/broken-transports.ts';

/** For transports that let the kit wait in vain. */
const impatient = (setup: ConformanceSetup): ConformanceSetup => ({ ...setup, caseTimeoutMs: 1_500 });

describe('the kit finds out a transport that', () => {
  test('[TC-05] loses what was sent, once the sender has given up', async () => {
    const broken = breakBytes(
      'lose',
      () =>
        function (this: MemoryByteStream, error) {
          this.destroy(error);
        },
    );
    const title = 'what was sent before the close timeout reaches a peer that reads later';
    expect(await failureOf(broken, title)).toMatch(/the peer reset the stream/);
  });

  test('[TC-05] hears nothing more once its own half has ended', async () => {
    const broken = breakBytes(
      '_final',
      (original) =>
        function (this: MemoryByteStream, done) {
          original.call(this, () => {
            done();
            setImmediate(() => this.destroy());
          });
        },
    );
    const title =
      'when our half has ended, the peer still says 1 MiB and its closing tag to a slow reader; that end is clean';
    expect(await failureOf(impatient(broken), title)).not.toBe('passed');
  });

  test('[TC-05] says nothing more once the half of its peer has ended', async () => {
    const broken = breakBytes(
      'push',
      (original) =>
        function (this: MemoryByteStream, chunk) {
          if (chunk === null) setImmediate(() => this.end());
          return original.call(this, chunk);
        },
    );
    const title = 'a peer that has ended its half is still told 1 MiB, the closing tag and the end';
    expect(await failureOf(impatient(broken), title)).not.toBe('passed');
  });

  test('[TC-05] cuts connections on which nothing was ever said', async () => {
    const broken = changing('client', (connection) =>
      connectionLike(connection, { close: async () => connection.abort() }),
    );
    const title = 'a connection without a stream ends cleanly at both sides, whoever closes it';
    expect(await failureOf(broken, title)).toMatch(/deep.*equal/);
  });

  test('[TC-06] is polite when it is to give up', async () => {
    const broken = changing('client', (connection) =>
      connectionLike(connection, { abort: () => void connection.close() }),
    );
    const title = 'aborting a connection whose peer does not read gives up at once; the peer sees no clean end';
    expect(await failureOf(impatient(broken), title)).toMatch(/waited in vain for drained\(\) to reject/);
  });

  test('[TC-13] does not notice a reset while it has to send', async () => {
    const broken = breakBytes('lose', () => () => undefined);
    const title = 'a reset while output is queued ends all who wait, with peer-reset';
    expect(await failureOf(impatient(broken), title)).toMatch(/waited in vain for drained\(\) to reject/);
  });

  test.each([
    ['cipher', undefined, /cipher is null where it is not known/],
    ['cipher', 'TLS_AES_128_GCM_SHA256', /strictly deep-equal/],
    ['sni', null, /both know one sni/],
    ['alpn', null, /both know one alpn/],
    ['resumed', true, /both know one resumed/],
    ['peerCertificates', [Buffer.from('made up')], /strictly deep-equal/],
  ])('[TC-10] says of its %s: %o', async (name, value, expected) => {
    const broken = changing('client', (connection) => {
      const security = { ...connection.security, [name]: value } as ConnectionSecurity;
      return connectionLike(connection, { security });
    });
    expect(await failureOf(broken, 'both sides of a c2s connection know its facts')).toMatch(expected);
  });

  test('[TC-10] has one verdict for everybody', async () => {
    const broken = changing('client', (connection) => {
      const { security } = connection;
      const verdict = security.verdict ?? expect.fail('nothing was judged');
      return connectionLike(connection, { security: { ...security, verify: () => verdict } });
    });
    const title = 'each identity gets a verdict of its own, the same again after the end, as channel bindings are';
    expect(await failureOf(broken, title)).toMatch(/a domain that nobody proved/);
  });

  test('[TC-10] gives its channel binding into the hands of others', async () => {
    const data = Buffer.from('the binding');
    const broken = changing('client', (connection) => {
      const { security } = connection;
      const bound = { ...security, channelBindings: ['tls-exporter'], channelBinding: () => data };
      return connectionLike(connection, { security: bound });
    });
    const title = 'each identity gets a verdict of its own, the same again after the end, as channel bindings are';
    expect(await failureOf(broken, title)).toMatch(/nobody can change what others are told/);
  });

  test('[TC-10] takes all that connect for clients', async () => {
    const broken = changing('server', (connection) => connectionLike(connection, { kind: 'c2s' }));
    const title = 'a listener of both kinds knows of each connection which it is';
    expect(await failureOf(broken, title)).toMatch(/'c2s' !== 's2s'|strictly equal/);
  });

  test('[TC-12] forgets the limits where it connects', async () => {
    const { capabilities } = memoryConformance;
    const broken: ConformanceSetup = {
      capabilities: { ...capabilities, rawPeer: false, provesDomain: false },
      create({ limits }) {
        const network = new MemoryNetwork();
        return {
          server: new MemoryTransport({ network, limits, logger: silentLogger }),
          client: new MemoryTransport({ network }),
          listenOptions: {},
          domain: 'capulet.example',
          target: ({ port }, domain, kind) => ({ kind, domain, port }),
          dispose: () => undefined,
        };
      },
    };
    const title = 'the limits hold for what the initiating side receives, too';
    expect(await failureOf(impatient(broken), title)).toMatch(/waited in vain for the stream to end/);
  });

  test('[TC-15] takes its time though it is given none', async () => {
    const broken = wrap(
      (server) =>
        withListen(server, (listener) => listenerLike(listener, { close: () => listener.close({ drainMs: 500 }) })),
      same,
    );
    const title = 'with drainMs 0 every stream is told system-shutdown at once, and nothing is waited for';
    expect(await failureOf(broken, title)).toMatch(/the observable completed, where peer-error was due/);
  });

  test('[TC-15] does not wait for the busy when it drains', async () => {
    const broken = wrap(
      (server) =>
        withListen(server, (listener) => listenerLike(listener, { close: () => listener.close({ drainMs: 0 }) })),
      same,
    );
    const title =
      'of one listener, the idle stream ends cleanly, the busy one after all it had sent, the jammed one at the deadline';
    expect(await failureOf(impatient(broken), title)).not.toBe('passed');
  });
});
