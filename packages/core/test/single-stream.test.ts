import { Duplex } from 'node:stream';
import {
  endWithError,
  type Limits,
  NO_TLS,
  type Role,
  resolveLimits,
  SingleStreamConnection,
  SingleStreamListener,
  type StanzaStream,
  silentLogger,
  TransportError,
} from '@stanzaport/core';
import { describe, expect, test } from 'vitest';

const ADDRESS = { family: 'IPv4', address: '127.0.0.1', port: 5222 } as const;

/** A connection over bytes of which the test decides when they come and end. */
function connectionOf(role: Role, limits: Partial<Limits> = {}): { bytes: Duplex; connection: SingleStreamConnection } {
  const bytes = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  return { bytes, connection: over(bytes, role, limits) };
}

function over(bytes: Duplex, role: Role, limits: Partial<Limits> = {}): SingleStreamConnection {
  return new SingleStreamConnection(bytes, {
    transport: 'pipe',
    kind: 'c2s',
    role,
    security: NO_TLS,
    path: { local: ADDRESS, remote: ADDRESS },
    limits: resolveLimits(limits),
    logger: silentLogger,
  });
}

function listenerOf(): SingleStreamListener {
  return new SingleStreamListener({
    transport: 'pipe',
    address: ADDRESS,
    limits: resolveLimits(),
    logger: silentLogger,
    stopAccepting: () => Promise.resolve(),
  });
}

describe('SingleStreamConnection', () => {
  test('[TC-01] announces its stream with the first bytes, not before', async () => {
    const { bytes, connection } = connectionOf('receiving');
    const streams: StanzaStream[] = [];
    connection.streams$.subscribe((stream) => streams.push(stream));
    await new Promise(setImmediate);
    expect(streams).toHaveLength(0);
    bytes.push('<');
    await new Promise(setImmediate);
    expect(streams).toHaveLength(1);
    connection.abort();
  });

  test('[TC-13] without a stream an orderly end of the bytes is clean, and a lost connection is not', async () => {
    const orderly = connectionOf('receiving');
    orderly.bytes.push(null);
    expect(await orderly.connection.closed).toEqual({ clean: true, by: 'peer', error: null });
    await orderly.connection.released;

    const lost = connectionOf('initiating');
    const error = new TransportError('XMPP_PEER_RESET', 'gone');
    endWithError(lost.bytes, error);
    expect(await lost.connection.closed).toEqual({ clean: false, by: 'peer', error });
    await lost.connection.close();
    expect(lost.bytes.destroyed).toBe(true);
  });

  test('[TC-13] bytes that have failed before are no clean end', async () => {
    const bytes = new Duplex({ read: () => undefined });
    const error = new TransportError('XMPP_PEER_RESET', 'gone');
    endWithError(bytes, error);
    expect(await over(bytes, 'receiving').closed).toEqual({ clean: false, by: 'peer', error });
  });

  test('[TC-09] a peer that speaks before a stream was opened breaks the protocol', async () => {
    const { bytes, connection } = connectionOf('initiating');
    bytes.push('<?xml');
    expect((await connection.closed).error?.code).toBe('XMPP_TRANSPORT_VIOLATION');
    expect(bytes.destroyed).toBe(true);
  });

  test('[TC-12] there is one stream, and it is the initiating entity that opens it', async () => {
    const { connection: receiving } = connectionOf('receiving');
    await expect(receiving.openStream()).rejects.toMatchObject({ code: 'XMPP_LIMIT_EXCEEDED' });
    const { connection: initiating } = connectionOf('initiating');
    await expect(initiating.openStream({ urgency: 8 })).rejects.toMatchObject({ code: 'XMPP_BAD_OPTION' });
    expect((await initiating.openStream({ urgency: 1 })).urgency).toBe(1);
    await expect(initiating.openStream()).rejects.toMatchObject({ code: 'XMPP_LIMIT_EXCEEDED' });
    for (const connection of [receiving, initiating]) connection.abort();
  });
});

describe('SingleStreamListener', () => {
  test('[TC-15] a connection that comes after close() is shut down', async () => {
    const listener = listenerOf();
    await listener.close();
    const { bytes, connection } = connectionOf('receiving');
    listener.announce(connection);
    expect((await connection.closed).error?.code).toBe('XMPP_SHUTDOWN');
    await connection.released;
    expect(bytes.destroyed).toBe(true);
  });

  test('[TC-15] with drainMs 0 nothing is waited for', async () => {
    const listener = listenerOf();
    const { connection } = connectionOf('receiving');
    listener.announce(connection);
    await listener.close({ drainMs: 0 });
    expect(await connection.closed).toMatchObject({ clean: false, by: 'local', error: { code: 'XMPP_SHUTDOWN' } });
  });
});
