import type { UdpSocket } from './udp-socket.ts';

/**
 * One buffer for all datagrams that go out. The kernel takes a datagram during the call, so the buffer is free again
 * at once; only when the kernel is full a reference is kept, and then a new buffer takes its place.
 */
export class SendBuffer {
  readonly #bytes: number;
  #buffer: Buffer;

  /** @param bytes size of the largest datagram. */
  constructor(bytes: number) {
    this.#bytes = bytes;
    this.#buffer = Buffer.allocUnsafeSlow(bytes);
  }

  get buffer(): Buffer {
    return this.#buffer;
  }

  /** Sends the first `length` bytes of {@link buffer}. */
  send(length: number, socket: UdpSocket, remoteAddress: string, remotePort: number): void {
    const free = socket.send(this.#buffer.subarray(0, length), remoteAddress, remotePort);
    if (!free) this.#buffer = Buffer.allocUnsafeSlow(this.#bytes);
  }
}
