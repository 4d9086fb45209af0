import type { Socket } from 'node:net';
import {
  datagramFrameHead,
  drainingFrame,
  type HandedDatagram,
  HandOverReader,
  helloFrame,
  readyFrame,
} from './hand-over-frames.ts';

/** What a link tells its owner. */
export interface WorkerLinkHandler {
  onHello(link: WorkerLink): void;
  onHanded(handed: HandedDatagram): void;
  /** {@link WorkerLink.isTaking} is another. */
  onTaking(link: WorkerLink): void;
  onClosed(link: WorkerLink): void;
}

/** What may wait for a worker that does not read, in bytes; UDP may lose what is above it. */
const MAX_QUEUED_BYTES = 4 * 1024 * 1024;

const UNKNOWN = -1;

/** A connection between two workers, for both directions. */
export class WorkerLink {
  /** Of the worker at the other end; none that there is until it has said it. */
  number: number;
  /** Whether the other one lets new clients in: from when it listens until it drains. */
  isTaking = false;
  readonly #socket: Socket;
  #corked = false;

  /** @param number null where the other one has called, and says it in a moment. @param own of this worker. */
  constructor(socket: Socket, number: number | null, own: number, handler: WorkerLinkHandler) {
    this.#socket = socket;
    this.number = number ?? UNKNOWN;
    const reader = new HandOverReader();
    socket.on('data', (chunk: Buffer) => {
      const wellFormed = reader.feed(chunk, (frame) => {
        if (frame.type === 'datagram') {
          handler.onHanded(frame);
        } else if (frame.type === 'hello') {
          this.number = frame.number;
          handler.onHello(this);
          if (number === null) socket.write(helloFrame(own));
        } else {
          this.isTaking = frame.type === 'ready';
          handler.onTaking(this);
        }
      });
      if (!wellFormed) socket.destroy();
    });
    // Its 'close' follows, and tells all there is to know.
    socket.on('error', () => undefined);
    socket.on('close', () => handler.onClosed(this));
    if (number !== null) socket.write(helloFrame(own));
  }

  /** @returns false when it was dropped, because too much waits already. */
  hand(handed: HandedDatagram): boolean {
    const socket = this.#socket;
    if (socket.destroyed || socket.writableLength > MAX_QUEUED_BYTES) return false;
    if (!this.#corked) {
      // All datagrams that are read in one turn of the event loop go with one call of the system.
      this.#corked = true;
      socket.cork();
      setImmediate(this.#uncork);
    }
    socket.write(datagramFrameHead(handed));
    socket.write(handed.datagram);
    return true;
  }

  /** Whether this side lets new clients in. */
  tellTaking(isTaking: boolean): void {
    if (!this.#socket.destroyed) this.#socket.write(isTaking ? readyFrame() : drainingFrame());
  }

  close(): void {
    this.#socket.destroy();
  }

  readonly #uncork = (): void => {
    this.#corked = false;
    this.#socket.uncork();
  };
}
