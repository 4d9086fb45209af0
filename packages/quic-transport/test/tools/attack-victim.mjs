// Started by attack-victim.ts: a process with one QUIC listener that echoes stanzas, wired as an application would do it.
// It answers every request of its parent, which shows that its event loop turns.
import 'reflect-metadata';
import { coreModule } from '@stanzaport/core';
import { tlsModule } from '@stanzaport/tls-shared';
import { Container } from 'inversify';
import { QuicTransport, quicTransportModule } from '../../dist/index.js';

let listener = null;
const endings = [];

/** Echoes; `<more bytes='…'/>` is answered with that many bytes of stanzas, as fast as the peer takes them. */
async function serve(stream) {
  for await (const event of stream.events()) {
    if (event.type === 'header') {
      stream.sendHeader();
      stream.markAuthenticated();
    } else if (event.type === 'stanza') {
      if (event.stanza.name === 'more') await sendMuch(stream, Number(event.stanza.attributes.bytes));
      else if (!stream.send(event.stanza)) await stream.drained();
    }
  }
}

async function sendMuch(stream, bytes) {
  const stanza = `<message><body>${'x'.repeat(8_192)}</body></message>`;
  for (let sent = 0; sent < bytes; sent += stanza.length) {
    if (!stream.send(stanza)) await stream.drained();
  }
}

const operations = {
  async listen({ credentials, trust, limits, options, port }) {
    const container = new Container();
    container.load(coreModule({ limits }), tlsModule({ credentials, trust }), quicTransportModule(options));
    listener = await container.get(QuicTransport).listen({ host: '127.0.0.1', port });
    listener.connections$.subscribe((connection) => {
      connection.closed.then(({ clean, by, error }) => {
        endings.push({ clean, by, code: error?.code ?? null, quicCode: error?.quicCode ?? null });
      });
      // A stream that ends with an error is the peer's affair.
      connection.streams$.subscribe((stream) => void serve(stream).catch(() => undefined));
    });
    return listener.address.port;
  },
  report() {
    const { user, system } = process.cpuUsage();
    return {
      peakBytes: process.resourceUsage().maxRSS * 1_024,
      cpuMs: (user + system) / 1_000,
      counters: listener.counters,
      connections: listener.connectionCount,
      pendingHandshakes: listener.pendingHandshakes(null),
      routes: listener.routeCount,
      endings,
    };
  },
  async close() {
    await listener?.close({ drainMs: 0 });
  },
};

process.on('message', async ({ id, operation, args }) => {
  try {
    process.send({ id, value: await operations[operation](...args) });
  } catch (thrown) {
    process.send({ id, failure: String(thrown?.stack ?? thrown) });
  }
});
process.on('disconnect', () => process.exit());
process.send('ready');
