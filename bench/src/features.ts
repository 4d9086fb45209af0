import 'reflect-metadata';
import { coreModule, type StanzaStream } from '@stanzaport/core';
import { type QuicModuleOptions, QuicTransport, quicTransportModule } from '@stanzaport/quic-transport';
import { createTestCa, UdpForwarder } from '@stanzaport/testing';
import { type TlsOptions, tlsModule } from '@stanzaport/tls-shared';
import { Container } from 'inversify';
import { median } from './statistics.ts';
import { DOMAIN } from './work.ts';

/** On the way there, and again on the way back. */
const DELAY_MS = 50;
const FEATURES = "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/></stream:features>";

/** How a connection comes to be: with the certificates, by a ticket, or by a ticket and early data. */
type Handshake = 'full' | 'resumed' | '0-RTT';

const HANDSHAKES: readonly Handshake[] = ['full', 'resumed', '0-RTT'];

function createTransport(tls: TlsOptions, options: QuicModuleOptions): QuicTransport {
  const container = new Container();
  container.load(coreModule(), tlsModule(tls), quicTransportModule(options));
  return container.get(QuicTransport);
}

function answer(stream: StanzaStream): void {
  stream.events$.subscribe({
    next: (event) => {
      if (event.type !== 'header') return;
      stream.sendHeader();
      stream.send(FEATURES);
    },
    error: () => undefined,
  });
}

/** From the call of `connect` to the server's features, in milliseconds. */
async function timeToFeatures(transport: QuicTransport, port: number, handshake: Handshake): Promise<number> {
  const beganMs = performance.now();
  const connection = await transport.connect({ kind: 'c2s', domain: DOMAIN, host: '127.0.0.1', port });
  const stream = await connection.openStream();
  stream.sendHeader({ to: DOMAIN });
  const elapsedMs = await new Promise<number>((resolve, reject) => {
    stream.events$.subscribe({
      next: (event) => {
        if (event.type === 'stanza') resolve(performance.now() - beganMs);
      },
      error: reject,
    });
  });
  // A figure of another handshake than the one in its row would be worse than none.
  await connection.handshakeCompleted;
  const { resumed, earlyData } = connection.security;
  const was: Handshake = earlyData === 'accepted' ? '0-RTT' : resumed ? 'resumed' : 'full';
  if (was !== handshake) throw new Error(`a handshake that should have been ${handshake} was ${was}`);
  await connection.close();
  return elapsedMs;
}

/** Time from nothing to the server's stream features over a line with {@link DELAY_MS} each way. */
export async function measureFeatures(rounds: number, json: boolean): Promise<void> {
  const ca = await createTestCa();
  const { chainPem, keyPem } = await ca.issue({ dnsNames: [DOMAIN] });
  const credentials = [{ domain: DOMAIN, cert: String(chainPem), key: String(keyPem) }];
  const trust = [String(ca.rootPem)];
  const server = createTransport({ credentials }, { earlyData: true });
  const listener = await server.listen({ host: '127.0.0.1', port: 0 });
  listener.connections$.subscribe(({ streams$ }) => streams$.subscribe({ next: answer, error: () => undefined }));
  const delay = { delayMs: DELAY_MS };
  await using line = await UdpForwarder.open({ target: listener.address, toServer: delay, toClient: delay });
  const { port } = line.address;
  const clients: Record<Handshake, QuicTransport> = {
    full: createTransport({ trust }, { sessionTickets: 'none' }),
    resumed: createTransport({ trust }, {}),
    '0-RTT': createTransport({ trust }, { earlyData: true }),
  };
  // The first connection of each is a full one: it warms up, and leaves a ticket.
  for (const handshake of HANDSHAKES) await timeToFeatures(clients[handshake], port, 'full');
  const figures: Record<Handshake, number[]> = { full: [], resumed: [], '0-RTT': [] };
  for (let round = 0; round < rounds; round++) {
    for (const handshake of HANDSHAKES)
      figures[handshake].push(await timeToFeatures(clients[handshake], port, handshake));
  }
  await listener.close({ drainMs: 0 });
  const rows = HANDSHAKES.map((handshake) => {
    const milliseconds = median(figures[handshake]);
    return { handshake, milliseconds, roundTrips: milliseconds / (2 * DELAY_MS) };
  });
  if (json) {
    process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
    return;
  }
  const lines = [
    `From connect() to <stream:features/>, ${DELAY_MS} ms each way, medians of ${rounds} rounds`,
    '',
    'handshake    milliseconds   round trips',
    ...rows.map(
      ({ handshake, milliseconds, roundTrips }) =>
        `${handshake.padEnd(13)}${milliseconds.toFixed(1).padStart(12)}${roundTrips.toFixed(2).padStart(14)}`,
    ),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
