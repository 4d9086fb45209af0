import type { StanzaStream } from '@stanzaport/core';
import { expect, test } from 'vitest';
import { createQuicTransport, DOMAIN, headerOf, targetOf } from './tools/quic-pair.ts';

const CONNECTIONS = 50;
const STREAMS = 20;
const STANZAS = 50;

test('[Q-17] [QT-11] a thousand streams over fifty connections, interleaved, lose nothing and keep their order', async () => {
  const options = { maxC2sStreams: STREAMS };
  // How long a busy machine takes is not in question.
  const patient = { headerTimeoutMs: 100_000, authenticationTimeoutMs: 100_000, closeTimeoutMs: 100_000 };
  const limits = { ...patient, maxPendingHandshakesPerAddress: CONNECTIONS };
  const transport = await createQuicTransport({ options, limits });
  const listener = await transport.listen({ host: '127.0.0.1', port: 0 });
  listener.connections$.subscribe((connection) => connection.streams$.subscribe(echo));
  const client = await createQuicTransport({ domains: [], limits: patient });
  const connections = await Promise.all(
    Array.from({ length: CONNECTIONS }, () => client.connect(targetOf(listener.address))),
  );
  const streams = await Promise.all(
    connections.flatMap((connection) => Array.from({ length: STREAMS }, () => connection.openStream())),
  );
  expect(streams).toHaveLength(CONNECTIONS * STREAMS);
  const answers = streams.map(async (stream, index) => {
    stream.sendHeader({ to: DOMAIN });
    await headerOf(stream);
    const ids: string[] = [];
    const done = stream.consume((stanza) => {
      ids.push(stanza.id ?? '');
      if (ids.length === STANZAS) stream.close();
    });
    for (let count = 0; count < STANZAS; count++) {
      stream.send(
        `<message id='${index}-${count}'><body>${'x'.repeat((index * 31 + count * 17) % 500)}</body></message>`,
      );
      // Each stream lets the others in between its stanzas.
      await new Promise(setImmediate);
    }
    await done;
    return ids;
  });
  for (const [index, ids] of (await Promise.all(answers)).entries()) {
    expect(ids).toEqual(Array.from({ length: STANZAS }, (_, count) => `${index}-${count}`));
  }
  await Promise.all(connections.map((connection) => connection.close()));
  await listener.close();
  expect(listener.routeCount).toBe(0);
}, 120_000);

function echo(stream: StanzaStream): void {
  stream.events$.subscribe((event) => {
    if (event.type === 'header') {
      stream.sendHeader();
      stream.markAuthenticated();
    } else if (event.type === 'stanza') {
      stream.send(event.stanza);
    }
  });
}
