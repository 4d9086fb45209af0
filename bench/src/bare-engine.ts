import { EngineLoop, STREAM } from './engine-loop.ts';
import { type Measurement, STANZA, STANZA_BYTES, type Work } from './work.ts';

/** The engine alone: one write a stanza, bytes are counted, nothing is parsed. The yardstick of the native part. */

/** Stanzas written in one turn of the event loop, at most. */
const WRITES_A_TURN = 1_024;

export async function startBareServer(work: Work, certificate: string, key: string): Promise<number> {
  const loop = await EngineLoop.listen(certificate, key);
  const input = Buffer.alloc(65_536);
  let received = 0;
  let done = false;
  loop.onTurn = (connection) => {
    if (!connection.streamReadable(STREAM)) return;
    for (let read = connection.streamRecv(STREAM, input); read !== null; read = connection.streamRecv(STREAM, input)) {
      received += read[0];
      if (work.task === 'echo') connection.streamSend(STREAM, input.subarray(0, read[0]), false);
    }
    if (work.task === 'one-way' && !done && received >= work.stanzas * STANZA_BYTES) {
      done = true;
      connection.streamSend(STREAM, Buffer.from('done'), false);
    }
  };
  return loop.socket.address().port;
}

export async function runBareClient(work: Work, port: number): Promise<Measurement> {
  const [loop, connection] = await EngineLoop.connect(port);
  const stanza = Buffer.from(STANZA);
  const input = Buffer.alloc(65_536);
  const roundTripsMs: number[] = [];
  let startedAt = 0;
  let sentAt = 0;
  let offset = 0;
  let sent = 0;
  let echoed = 0;
  const writeAll = (): void => {
    for (let count = 0; count < WRITES_A_TURN && sent < work.stanzas; count++) {
      offset += connection.streamSend(STREAM, offset === 0 ? stanza : stanza.subarray(offset), false) ?? 0;
      if (offset < STANZA_BYTES) return;
      offset = 0;
      sent += 1;
    }
    if (sent < work.stanzas) loop.schedule();
  };
  const writeOne = (): void => {
    sentAt = performance.now();
    connection.streamSend(STREAM, stanza, false);
  };
  const seconds = await new Promise<number>((resolve) => {
    const finished = (): void => resolve((performance.now() - startedAt) / 1_000);
    loop.onTurn = () => {
      if (!connection.isEstablished()) return;
      if (startedAt === 0) {
        startedAt = performance.now();
        if (work.task === 'echo') writeOne();
      }
      if (work.task === 'one-way') writeAll();
      if (!connection.streamReadable(STREAM)) return;
      for (
        let read = connection.streamRecv(STREAM, input);
        read !== null;
        read = connection.streamRecv(STREAM, input)
      ) {
        echoed += read[0];
      }
      if (work.task === 'one-way') {
        finished();
      } else if (echoed >= STANZA_BYTES) {
        echoed -= STANZA_BYTES;
        roundTripsMs.push(performance.now() - sentAt);
        if (roundTripsMs.length === work.stanzas) finished();
        else writeOne();
      }
    };
    loop.flush();
  });
  loop.stop();
  return { seconds, roundTripsMs };
}
