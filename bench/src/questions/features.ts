import 'reflect-metadata';
import { coreModule, type StanzaStream } from '@stanzaport/core';
import { type QuicModuleOptions, QuicTransport, quicTransportModule } from '@stanzaport/quic-transport';
import { createTestCa, UdpForwarder } from '@stanzaport/testing';
import { type TlsOptions, tlsModule } from '@stanzaport/tls-shared';
import { Container } from 'inversify';
import type { Circumstances, Question } from '../question.ts';
import { type Report, Series } from '../report.ts';
import { DOMAIN } from '../work.ts';

/** On the way there, and again on the way back. */
const DELAY_MS = 50;
const QUICK_DELAY_MS = 5;
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
async function ask({ rounds, quick }: Circumstances): Promise<Report> {
  const delayMs = quick ? QUICK_DELAY_MS : DELAY_MS;
  const ca = await createTestCa();
  const { chainPem, keyPem } = await ca.issue({ dnsNames: [DOMAIN] });
  const credentials = [{ domain: DOMAIN, cert: String(chainPem), key: String(keyPem) }];
  const trust = [String(ca.rootPem)];
  const server = createTransport({ credentials }, { earlyData: true });
  const listener = await server.listen({ host: '127.0.0.1', port: 0 });
  listener.connections$.subscribe(({ streams$ }) => streams$.subscribe({ next: answer, error: () => undefined }));
  const delay = { delayMs };
  await using line = await UdpForwarder.open({ target: listener.address, toServer: delay, toClient: delay });
  const { port } = line.address;
  const clients: Record<Handshake, QuicTransport> = {
    full: createTransport({ trust }, { sessionTickets: 'none' }),
    resumed: createTransport({ trust }, {}),
    '0-RTT': createTransport({ trust }, { earlyData: true }),
  };
  // The first connection of each is a full one: it warms up, and leaves a ticket.
  for (const handshake of HANDSHAKES) await timeToFeatures(clients[handshake], port, 'full');
  const milliseconds = new Series('from connect() to <stream:features/>', 'milliseconds', {
    digits: 1,
    baseline: 'full',
  });
  const roundTrips = new Series('the same', 'round trips', { digits: 2, baseline: 'full' });
  for (let round = 0; round < rounds; round++) {
    for (const handshake of HANDSHAKES) {
      const elapsedMs = await timeToFeatures(clients[handshake], port, handshake);
      milliseconds.add(handshake, elapsedMs);
      roundTrips.add(handshake, elapsedMs / (2 * delayMs));
    }
  }
  await listener.close({ drainMs: 0 });
  const conditions = [`Stanzaport over QUIC, ${delayMs} ms each way, server and client in one process`];
  return { question: features.title, conditions, series: [milliseconds, roundTrips] };
}

export const features: Question = {
  name: 'features',
  title: 'How many round trips until the stream features are there?',
  rounds: 5,
  measure: ask,
};
