import type { StanzaStream } from '@stanzaport/core';
import type { Scene, StreamPair } from './harness.ts';

/** A message whose source is `size` bytes long, or a little more when that is too short. */
export function messageOf(size: number, id: number | string = 0): string {
  const empty = `<message id='${id}'><body></body></message>`;
  return empty.replace('><body>', `><body>${'x'.repeat(Math.max(0, size - empty.length))}`);
}

/** Sends all of `texts`, waiting whenever the stream says so. */
export async function sendAll(scene: Scene, stream: StanzaStream, texts: Iterable<string>): Promise<void> {
  for (const text of texts) {
    if (!stream.send(text)) await scene.wait(`stream ${stream.id} to drain`, stream.drained());
  }
}

/** Pulls `count` first-level elements, then leaves the stream to the next consumer. */
export async function take(scene: Scene, stream: StanzaStream, count: number): Promise<string[]> {
  const sources: string[] = [];
  const pulling = async (): Promise<void> => {
    for await (const stanza of stream) if (sources.push(stanza.source) === count) return;
  };
  await scene.wait(`${count} stanzas on stream ${stream.id}`, pulling());
  return sources;
}

/** Round trips of a neighbour after which a stream that has not moved is taken for stopped. */
const ROUND_TRIPS_OF_PATIENCE = 20;

/** What was sent to a peer that does not read. */
export interface Jam {
  /** Elements accepted by `send`. */
  readonly sent: number;
  /** Bytes the transport has taken from the send queue, the most that can be under way. */
  readonly takenBytes: number;
}

/**
 * Sends until the peer's not reading has stopped the stream: `send` says false, and the queue does not move while a
 * neighbour goes back and forth. `onTaken` may throw when it is too much.
 */
export async function jam(
  scene: Scene,
  stream: StanzaStream,
  neighbour: StreamPair,
  onTaken: (bytes: number) => void = () => undefined,
): Promise<Jam> {
  const stanza = messageOf(4_096);
  let sent = 0;
  let roundTrips = 0;
  let takenBefore = -1;
  let mayNotSend = false;
  while (roundTrips < ROUND_TRIPS_OF_PATIENCE) {
    if (!mayNotSend) {
      do sent += 1;
      while (stream.send(stanza));
      mayNotSend = true;
      void stream.drained().then(
        () => {
          mayNotSend = false;
        },
        () => undefined,
      );
    }
    await scene.roundTrip(neighbour);
    const taken = sent * stanza.length - stream.queuedBytes;
    onTaken(taken);
    roundTrips = taken === takenBefore && mayNotSend ? roundTrips + 1 : 0;
    takenBefore = taken;
  }
  return { sent, takenBytes: takenBefore };
}
