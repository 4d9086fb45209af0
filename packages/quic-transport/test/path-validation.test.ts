import { once } from 'node:events';
import type { Connection, NetworkPath, StanzaStream } from '@stanzaport/core';
import { firstValueFrom } from 'rxjs';
import { afterEach, describe, expect, test } from 'vitest';
import { VIRTUAL_PATH } from '../src/endpoint/virtual-path.ts';
import type { QuicListener } from '../src/index.ts';
import { PathProber } from './engine/path-prober.ts';
import { collect, createQuicTransport, DOMAIN, HEADER, headerOf } from './tools/quic-pair.ts';
import { RawQuicClient } from './tools/raw-quic-client.ts';

/** A datagram that is longer has more in it than a PING and an acknowledgement. */
const PROBE_BYTES = 64;

const open: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

interface Meeting {
  readonly listener: QuicListener;
  readonly client: RawQuicClient;
  readonly server: Connection;
  readonly stream: StanzaStream;
  /** Every remote port the server's facts have told. */
  readonly ports: number[];
  readonly stanzas: string[];
}

/** A client that can be moved about, and a stream of its that the server has taken. */
async function meet(
  activeConnectionIdLimit = 4,
  answer: (stream: StanzaStream, id: string | undefined) => void = () => undefined,
): Promise<Meeting> {
  const listener = await (await createQuicTransport()).listen({ host: '127.0.0.1', port: 0 });
  open.push(() => listener.close({ drainMs: 0 }));
  const accepted = firstValueFrom(listener.connections$);
  const client = await RawQuicClient.connect({ port: listener.address.port, config: { activeConnectionIdLimit } });
  open.push(() => client.stop());
  const server = await accepted;
  const ports: number[] = [];
  server.path$.subscribe({ next: ({ remote }: NetworkPath) => ports.push(remote.port), error: () => undefined });
  client.write(0, HEADER);
  const stream = await firstValueFrom(server.streams$);
  await headerOf(stream);
  stream.sendHeader();
  stream.markAuthenticated();
  const stanzas: string[] = [];
  stream.stanzas$.subscribe({
    next: ({ source, attributes: { id } }) => {
      stanzas.push(source);
      answer(stream, id);
    },
    error: () => undefined,
  });
  await client.until(() => client.text(0).includes('<stream:stream'));
  return { listener, client, server, stream, ports, stanzas };
}

/** Sends one authentic packet that asks for an answer. */
function ping(client: RawQuicClient): void {
  client.engine.ping();
  client.flush();
}

describe('the receiving entity follows its peer', () => {
  test('[QT-05] a NAT rebinding the peer knows nothing of: the new port is proved, told, and used', async () => {
    const { listener, client, stream, ports, stanzas } = await meet();
    for (let rebinding = 1; rebinding <= 10; rebinding++) {
      const { port } = (await client.moveTo('127.0.0.1')).address();
      client.write(0, `<message id='${rebinding}'/>`);
      await expect.poll(() => stanzas.length).toBe(rebinding);
      stream.send(`<message id='${rebinding}'/>`);
      await client.until(() => client.text(0).includes(`<message id='${rebinding}'/>`));
      await expect.poll(() => ports.at(-1)).toBe(port);
    }
    expect(ports).toHaveLength(11);
    expect(listener.counters).toMatchObject({ peersMoved: 10, addressesProved: 10, addressesNotProved: 0 });
  });

  test.each([2, 3, 8])('[QT-05] also where the peer keeps %i connection IDs', async (limit) => {
    const { client, ports } = await meet(limit);
    for (let rebinding = 1; rebinding <= 3; rebinding++) {
      const { port } = (await client.moveTo('127.0.0.1')).address();
      ping(client);
      await expect.poll(() => ports.at(-1)).toBe(port);
    }
  });

  test('[QT-05] junk and replays from elsewhere move nothing', async () => {
    const { listener, client, stream, ports } = await meet();
    const old = client.socket;
    const replayed = client.sent.at(-1) as Buffer;
    const elsewhere = await client.moveTo('127.0.0.1', false);
    client.socket = old;
    let there = 0;
    elsewhere.on('message', () => {
      there += 1;
    });
    const { received } = listener.counters;
    client.send(replayed, elsewhere);
    client.send(Buffer.concat([replayed.subarray(0, 20), Buffer.alloc(100)]), elsewhere);
    await expect.poll(() => listener.counters.received).toBeGreaterThanOrEqual(received + 2);
    stream.send("<message id='after'/>");
    await client.until(() => client.text(0).includes("<message id='after'/>"));
    expect(there).toBe(0);
    expect(ports).toHaveLength(1);
  });

  test('[QT-05] a genuine datagram that an attacker sends on from elsewhere first: the next one brings the traffic back', async () => {
    const { client, stream, ports } = await meet();
    const old = client.socket;
    const elsewhere = await client.moveTo('127.0.0.1', false);
    client.socket = old;
    let [sentThere, receivedThere] = [0, 0];
    elsewhere.on('message', ({ length }) => {
      receivedThere += length;
    });
    client.engine.ping();
    for (const datagram of client.datagrams()) {
      sentThere += datagram.length;
      client.send(datagram, elsewhere);
    }
    await once(elsewhere, 'message');
    ping(client);
    stream.send("<message id='after'/>");
    await client.until(() => client.text(0).includes("<message id='after'/>"));
    expect(receivedThere).toBeLessThanOrEqual(3 * sentThere);
    expect(ports).toHaveLength(1);
  });

  test('[QT-05] an address that does not prove itself gets three times what came from it, and then the old one counts', async () => {
    const { client, stream, ports } = await meet();
    const old = client.socket;
    const spoofed = await client.moveTo('127.0.0.1', false);
    let [sentThere, receivedThere] = [0, 0];
    spoofed.on('message', ({ length }) => {
      receivedThere += length;
    });
    const before = client.sent.length;
    for (let count = 0; count < 5; count++) ping(client);
    sentThere = client.sent.slice(before).reduce((sum, { length }) => sum + length, 0);
    await once(spoofed, 'message');
    // Far more than may be sent there; none of it is lost when the peer turns out to be where it was.
    for (let count = 0; count < 100; count++)
      stream.send(`<message id='${count}'><body>${'x'.repeat(300)}</body></message>`);
    client.socket = old;
    await client.until(() => client.text(0).includes("<message id='99'>"));
    expect(receivedThere).toBeGreaterThan(0);
    expect(receivedThere).toBeLessThanOrEqual(3 * sentThere);
    expect(ports).toHaveLength(1);
  });

  test('[QT-05] where the proof does not come, the last proved address counts again though nothing came from it', async () => {
    const { listener, client, stream, ports } = await meet();
    const old = client.socket;
    const spoofed = await client.moveTo('127.0.0.1', false);
    const spoofedHeard = once(spoofed, 'message');
    ping(client);
    await spoofedHeard;
    client.vanish();
    const oldHeard = once(old, 'message');
    stream.send("<message id='anybody there?'/>");
    await oldHeard;
    expect(ports).toHaveLength(1);
    expect(listener.counters).toMatchObject({ peersMoved: 1, addressesProved: 0, addressesNotProved: 1 });
  });

  test('[QT-05] a copy of fresh IDs that is lost on a dead path breaks nothing when the peer goes on with the first', async () => {
    const { client, ports, stanzas } = await meet(4, (stream, id) => stream.send(`<message id='${id}'/>`));
    const answered = (id: number) =>
      client.until(() => client.text(0).includes(`<message id='${id}'/>`) || client.engine.localError !== null);
    await client.moveTo('127.0.0.1');
    // The server sends its IDs along with a stanza. The client takes them and says nothing; the copy that the server sends
    // for want of an answer is lost.
    const copySent = new Promise<void>((resolve) => {
      client.onDatagram = (datagram) => {
        client.isSilent = true;
        client.onDatagram = ({ length }) => {
          if (length > PROBE_BYTES) resolve();
        };
        client.engine.receive(datagram, VIRTUAL_PATH);
      };
    });
    client.write(0, `<message id='1' note='${'x'.repeat(500)}'/>`);
    await copySent;
    const { port } = (await client.moveTo('127.0.0.1')).address();
    client.onDatagram = null;
    client.isSilent = false;
    for (let id = 2; id <= 20; id++) {
      client.write(0, `<message id='${id}'/>`);
      await answered(id);
      expect([id, client.engine.localError]).toEqual([id, null]);
    }
    await expect.poll(() => ports.at(-1)).toBe(port);
    expect(stanzas).toHaveLength(20);
  });

  test('[QT-05] a new port is proved as well while there is always something in flight', async () => {
    const { client, stream, ports } = await meet();
    let pours = true;
    let sent = 0;
    const poured = (async () => {
      const words = `<message><body>${'x'.repeat(1_000)}</body></message>`;
      for (; pours; sent++) if (!stream.send(words)) await stream.drained();
    })();
    for (let rebinding = 1; rebinding <= 3; rebinding++) {
      const { port } = (await client.moveTo('127.0.0.1')).address();
      ping(client);
      await expect.poll(() => ports.at(-1)).toBe(port);
      const before = sent;
      await expect.poll(() => sent - before, { timeout: 20_000 }).toBeGreaterThan(1_000);
    }
    pours = false;
    await poured;
  });

  test('[QT-05] a peer that keeps too many connection IDs to be asked for them all is followed, and told of as it was', async () => {
    const { client, stream, ports, stanzas } = await meet(100);
    await client.moveTo('127.0.0.1');
    client.write(0, "<message id='1'/>");
    await expect.poll(() => stanzas.length).toBe(1);
    stream.send("<message id='2'/>");
    await client.until(() => client.text(0).includes("<message id='2'/>"));
    expect(ports).toHaveLength(1);
  });

  test('[Q-14] a client of another make, with real paths of its own, probes and migrates', async () => {
    const listener = await (await createQuicTransport()).listen({ host: '127.0.0.1', port: 0 });
    open.push(() => listener.close({ drainMs: 0 }));
    const accepted = firstValueFrom(listener.connections$);
    const client = await PathProber.connect(listener.address.port, DOMAIN);
    open.push(() => client.stop());
    const server = await accepted;
    const ports: number[] = [];
    server.path$.subscribe({ next: ({ remote }: NetworkPath) => ports.push(remote.port), error: () => undefined });
    client.write(HEADER);
    const stream = await firstValueFrom(server.streams$);
    await headerOf(stream);
    stream.markAuthenticated();
    const { stanzas } = collect(stream);
    for (let migration = 1; migration <= 3; migration++) {
      const port = await client.migrate();
      client.write(`<message id='${migration}'/>`);
      await expect.poll(() => stanzas.length).toBe(migration);
      await expect.poll(() => ports.at(-1)).toBe(port);
    }
  });

  test('[QT-06] no address is followed before the handshake is complete', async () => {
    const listener = await (await createQuicTransport()).listen({ host: '127.0.0.1', port: 0 });
    open.push(() => listener.close({ drainMs: 0 }));
    const accepted = firstValueFrom(listener.connections$);
    const client = await RawQuicClient.start({ port: listener.address.port });
    open.push(() => client.stop());
    const { port } = client.socket.address();
    client.onDatagram = (datagram) => {
      // The client's second flight, with which it completes the handshake, comes from elsewhere.
      client.onDatagram = null;
      void client.moveTo('127.0.0.1').then(() => client.receive(datagram));
    };
    const { remote } = await firstValueFrom((await accepted).path$);
    expect(remote.port).toBe(port);
    await client.until(() => client.engine.established);
  });
});
