// Started by memory-server.ts with --expose-gc: a process with one QUIC listener, wired as an application would do it, and an
// application that is as slow, as hasty or as silent as the stanzas of its peers ask for.
import 'reflect-metadata';
import { EventEmitter, once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { coreModule } from '@stanzaport/core';
import { tlsModule } from '@stanzaport/tls-shared';
import { Container } from 'inversify';
import { QuicTransport, quicTransportModule } from '../../dist/index.js';

/** The engine frees a connection in a turn after the collector has found it, and what it pointed to is found by the next. */
const COLLECTIONS = 3;
const STANZA = `<message><body>${'x'.repeat(4_000)}</body></message>`;

let listener = null;
/** Connections of which there is still a trace. */
let present = 0;
const leavings = new EventEmitter();
/** Consumers that have a stanza in hand and wait, and what lets them go on. */
let waiting = 0;
let goOn = () => undefined;
let gate = Promise.resolve();
/** Bytes given to `send()` for peers that asked for more, and bytes of stanzas that were dropped. */
let sentBytes = 0;
let droppedBytes = 0;
/** How many streams have ended with which code. */
let endings = {};

/** Does what the name of a stanza says, and echoes all others. */
async function serve(stream) {
  for await (const event of stream.events()) {
    if (event.type === 'header') {
      stream.sendHeader();
      stream.markAuthenticated();
    } else if (event.type === 'stanza') {
      const action = actions[event.stanza.name];
      if (action !== undefined) await action(stream, event.stanza);
      else if (!stream.send(event.stanza)) await stream.drained();
    }
  }
}

const actions = {
  /** A slow consumer. */
  async wait() {
    waiting += 1;
    await gate;
    waiting -= 1;
  },
  /** Sends that many bytes, no faster than the peer takes them. */
  async more(stream, { attributes: { bytes } }) {
    for (let sent = 0; sent < Number(bytes); sent += STANZA.length) {
      sentBytes += STANZA.length;
      if (!stream.send(STANZA)) await stream.drained();
    }
  },
  /** Sends that many bytes at once, whatever `send()` says; in the end it throws. */
  flood(stream, { attributes: { bytes } }) {
    for (let sent = 0; sent < Number(bytes); sent += STANZA.length) {
      stream.send(STANZA);
      sentBytes += STANZA.length;
    }
  },
  drop(_stream, { source }) {
    droppedBytes += source.length;
  },
  leave(stream) {
    stream.connection.abort();
  },
};

function onConnection(connection) {
  present += 1;
  connection.streams$.subscribe({
    next: (stream) => {
      serve(stream).catch(() => undefined);
      stream.closed.then(({ error }) => {
        const code = error?.code ?? 'clean';
        endings[code] = (endings[code] ?? 0) + 1;
      });
    },
    error: () => undefined,
  });
  connection.closed
    // Resolves when nothing is left of it.
    .then(() => connection.close())
    .then(() => {
      present -= 1;
      leavings.emit('left');
    });
}

function countResources() {
  const counts = {};
  for (const type of process.getActiveResourcesInfo()) counts[type] = (counts[type] ?? 0) + 1;
  // A turn of the pump that is due, as after a PING of one of ten thousand clients, is over in a moment.
  delete counts.Immediate;
  return counts;
}

const operations = {
  async listen({ credentials, trust }) {
    const container = new Container();
    container.load(coreModule(), tlsModule({ credentials, trust }), quicTransportModule());
    listener = await container.get(QuicTransport).listen({ host: '127.0.0.1', port: 0 });
    listener.connections$.subscribe(onConnection);
    return listener.address.port;
  },
  /** Collects garbage first. */
  async usage() {
    for (let count = 0; count < COLLECTIONS; count++) {
      globalThis.gc();
      await nextTurn();
    }
    const { rss, heapUsed, external } = process.memoryUsage();
    return {
      rssBytes: rss,
      peakBytes: process.resourceUsage().maxRSS * 1_024,
      knownBytes: heapUsed + external,
      resources: countResources(),
      connections: listener.connectionCount,
      routes: listener.routeCount,
      pendingHandshakes: listener.pendingHandshakes(null),
    };
  },
  progress() {
    return { waiting, sentBytes, droppedBytes, endings, connections: listener.connectionCount };
  },
  /** Counts from 0 again; from now on consumers that are asked to wait do so, until `goOn`. */
  begin() {
    sentBytes = 0;
    droppedBytes = 0;
    endings = {};
    gate = new Promise((resolve) => {
      goOn = resolve;
    });
  },
  goOn() {
    goOn();
  },
  /** Resolves when there is a trace of no more connections than that. */
  async untilLeft(most) {
    while (present > most) await once(leavings, 'left');
  },
  async close() {
    await listener.close({ drainMs: 0 });
    listener = null;
  },
};

process.on('message', async ({ id, operation, args }) => {
  try {
    process.send({ id, value: await operations[operation](...args) });
  } catch (thrown) {
    process.send({ id, failure: String(thrown?.stack ?? thrown) });
  }
});
process.on('disconnect', () => {
  // After its close nothing may keep the process alive.
  if (listener !== null) process.exit();
});
process.send('ready');
