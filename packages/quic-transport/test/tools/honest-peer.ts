import type { Connection, StanzaStream } from '@stanzaport/core';
import type { QuicOptions } from '../../src/index.ts';
import { createQuicTransport, DOMAIN, headerOf, targetOf } from './quic-pair.ts';

/** A well-behaved client of a listener that echoes, in conversation with it. */
export class HonestPeer {
  readonly connection: Connection;
  readonly #stream: StanzaStream;
  #exchanged = 0;
  #talking = false;
  #conversation: Promise<void> = Promise.resolve();

  private constructor(connection: Connection, stream: StanzaStream) {
    this.connection = connection;
    this.#stream = stream;
  }

  static async connect(port: number, options: Partial<QuicOptions> = {}): Promise<HonestPeer> {
    const transport = await createQuicTransport({ domains: [], options });
    const connection = await transport.connect(targetOf({ family: 'IPv4', address: '127.0.0.1', port }));
    const stream = await connection.openStream();
    stream.sendHeader({ to: DOMAIN });
    await headerOf(stream);
    return new HonestPeer(connection, stream);
  }

  /** Stanzas that went there and came back, each in its turn. */
  get exchanged(): number {
    return this.#exchanged;
  }

  /** One stanza there and back. Rejects when the stream ends, or another one comes back. */
  async exchange(): Promise<void> {
    const sent = `<message id='${this.#exchanged + 1}'/>`;
    this.#stream.send(sent);
    for await (const event of this.#stream.events()) {
      if (event.type !== 'stanza' || event.stanza.source !== sent)
        throw new Error(`${sent} was sent, ${event.type} came`);
      this.#exchanged += 1;
      return;
    }
    throw new Error('the stream has ended');
  }

  /** Exchanges stanzas one after the other until {@link stopTalking}. */
  startTalking(): void {
    this.#talking = true;
    this.#conversation = this.#talk();
    // Told by stopTalking.
    this.#conversation.catch(() => undefined);
  }

  /** Rejects when the conversation did not go on to here. */
  async stopTalking(): Promise<void> {
    this.#talking = false;
    await this.#conversation;
  }

  async leave(): Promise<void> {
    this.connection.abort();
    await this.connection.close();
  }

  async #talk(): Promise<void> {
    while (this.#talking) await this.exchange();
  }
}
