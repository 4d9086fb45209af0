import type { Duplex } from 'node:stream';
import { type BenchStream, noop, StanzaCounter } from '../contender.ts';
import { stanzaOf } from '../work.ts';

/** A stream of a peer that offers Node.js streams: one write a stanza, bytes are counted. */
export class DuplexStream implements BenchStream {
  onDrained: () => void = noop;
  onStanza: () => void = noop;
  readonly #duplex: Duplex;
  readonly #stanza: Buffer;

  constructor(duplex: Duplex, stanzaBytes: number) {
    this.#duplex = duplex;
    this.#stanza = Buffer.from(stanzaOf(stanzaBytes));
    const counter = new StanzaCounter(stanzaBytes);
    duplex.on('data', (chunk: Buffer) => counter.take(chunk.length, this));
    duplex.on('drain', () => this.onDrained());
    duplex.on('error', noop);
  }

  send(): boolean {
    return this.#duplex.write(this.#stanza);
  }
}
