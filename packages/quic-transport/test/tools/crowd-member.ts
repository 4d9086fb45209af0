import type { Carrier } from '../../src/endpoint/carrier.ts';
import { ConnectionDriver } from '../../src/endpoint/connection-driver.ts';
import type { ConnectionEnd } from '../../src/endpoint/connection-end.ts';
import type { DriverOwner, DriverShared } from '../../src/endpoint/driver-owner.ts';
import { VIRTUAL_PATH } from '../../src/endpoint/virtual-path.ts';
import type { Engine, EngineConfig } from '../../src/engine/port.ts';
import { DEFAULT_QUIC_OPTIONS } from '../../src/options.ts';
import { DOMAIN, HEADER } from './quic-pair.ts';

/** The only one. */
const STREAM_ID = 0;
const HANDSHAKE_TIMEOUT_MS = 60_000;
const END_OF_STREAM = Buffer.from('</stream:stream>');
const LEAVE = Buffer.from("<leave xmlns='urn:example:memory'/>");

/** Where what nobody looks at is read to. */
const scratch = Buffer.allocUnsafeSlow(65_536);

/** What is still to be written: `bytes` again and again. */
interface Offer {
  readonly bytes: Buffer;
  readonly fin: boolean;
  leftBytes: number;
}

/** One of a {@link Crowd}: a connection with one stream. It counts what comes, and looks at none of it. */
export class CrowdMember implements DriverOwner {
  /** It trusts its server. */
  readonly unreadBytes = Number.POSITIVE_INFINITY;
  /** Resolves when no trace of the connection is left. */
  readonly released: Promise<void>;
  readonly #driver: ConnectionDriver;
  readonly #watchers = new Set<() => void>();
  #tellReleased: () => void = () => undefined;
  #isOpen = false;
  #isReading = true;
  #offer: Offer | null = null;
  #writtenBytes = 0;
  #receivedBytes = 0;
  #streamHasEnded = false;
  #end: ConnectionEnd | null = null;

  constructor(engine: Engine, config: EngineConfig, shared: DriverShared, carrier: Carrier) {
    this.released = new Promise((resolve) => {
      this.#tellReleased = resolve;
    });
    const source = shared.ids.create();
    const connection = engine.connect(config, {
      serverName: DOMAIN,
      sourceConnectionId: source.id,
      path: VIRTUAL_PATH,
      session: null,
    });
    const timing = { ...DEFAULT_QUIC_OPTIONS, handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS };
    this.#driver = new ConnectionDriver(
      'client',
      connection,
      carrier,
      { source: source.id, initial: null },
      shared,
      timing,
      this,
    );
  }

  /** Bytes of the stream that the engine has taken. */
  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  /** Bytes of the stream that were read. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** Resolves when stream headers have been exchanged. */
  async openStream(): Promise<void> {
    this.offer(Buffer.from(HEADER));
    await this.until(() => this.#receivedBytes > 0);
    this.#driver.keepsAlive = true;
  }

  /** Writes `bytes`, `repeats` times one after the other, as fast as the server takes them. */
  offer(bytes: Buffer, repeats = 1, fin = false): void {
    this.#offer = { bytes, fin, leftBytes: bytes.length * repeats };
    this.#driver.mark();
  }

  /** From now on nothing is read, so that flow control stops the server. */
  stopReading(): void {
    this.#isReading = false;
  }

  readOn(): void {
    this.#isReading = true;
    this.#driver.markForInput();
  }

  /** As RFC 6120 §4.4 has it: resolves when the server has answered the end of the stream. */
  async closeInOrder(): Promise<void> {
    this.offer(END_OF_STREAM, 1, true);
    await this.until(() => this.#streamHasEnded);
    this.close();
  }

  /** CONNECTION_CLOSE, whatever is under way. */
  close(): void {
    this.#driver.close(true, 0, '');
  }

  /** Asks the server to end the connection; resolves when it has. */
  async beThrownOut(): Promise<void> {
    this.offer(LEAVE);
    await this.until(() => this.#end !== null);
  }

  /** Resolves when `condition` holds; it is looked at after everything that happens. Rejects when it can hold no more. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const holds = condition();
        if (!holds && this.#end === null) return;
        this.#watchers.delete(look);
        if (holds) resolve();
        else reject(new Error(`the connection has ended: ${JSON.stringify(this.#end)}`));
      };
      this.#watchers.add(look);
      look();
    });
  }

  // For the driver.

  onEarlyData(): void {
    // A server's.
  }

  onEstablished(): void {
    this.#isOpen = true;
  }

  onInput(): void {
    if (this.#isReading && this.#driver.engine.hasReadable) this.#read();
    this.#look();
  }

  onOutput(): void {
    if (this.#offer !== null && this.#isOpen) this.#write(this.#offer);
  }

  onPathChanged(): void {
    // It never moves.
  }

  onEnd(end: ConnectionEnd): void {
    this.#end = end;
    this.#look();
  }

  onReleased(): void {
    this.#tellReleased();
  }

  #read(): void {
    const { engine } = this.#driver;
    for (let read = engine.read(STREAM_ID, scratch); read !== null; read = engine.read(STREAM_ID, scratch)) {
      const [bytes, fin] = read;
      this.#receivedBytes += bytes;
      this.#driver.delivered(bytes);
      if (fin) this.#streamHasEnded = true;
      if (fin || bytes < scratch.length) return;
    }
  }

  #write(offer: Offer): void {
    const { bytes, fin } = offer;
    while (offer.leftBytes > 0) {
      const offset = (bytes.length - (offer.leftBytes % bytes.length)) % bytes.length;
      const rest = bytes.subarray(offset);
      const taken = this.#driver.engine.write(STREAM_ID, rest, fin && rest.length === offer.leftBytes);
      offer.leftBytes -= taken;
      this.#writtenBytes += taken;
      if (taken < rest.length) return;
    }
    this.#offer = null;
  }

  #look(): void {
    for (const watcher of this.#watchers) watcher();
  }
}
