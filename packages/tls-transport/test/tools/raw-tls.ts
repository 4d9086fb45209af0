import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import type { RawPeer } from '@stanzaport/testing';

/** A TCP connection that nobody has written to. Its errors are seen by who awaits them. */
export async function connectRaw(port: number): Promise<Socket> {
  const tcp = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  tcp.on('error', () => undefined);
  await once(tcp, 'connect');
  return tcp;
}

/** TLS as a client over a connection, without any check. @throws what TLS throws, such as the alert of the server. */
export async function secureRaw(tcp: Socket, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const tls = connectTls({ socket: tcp, rejectUnauthorized: false, ...options });
  try {
    await once(tls, 'secureConnect');
    return tls;
  } finally {
    tls.on('error', () => undefined);
  }
}

/** Bytes inside a TLS connection whose `destroy()` resets TCP, as the conformance kit wants it. */
export class RawTlsPeer extends Duplex implements RawPeer {
  readonly bytes: this = this;
  readonly #tls: TLSSocket;
  readonly #tcp: Socket;

  constructor(tls: TLSSocket, tcp: Socket) {
    super();
    this.#tls = tls;
    this.#tcp = tcp;
    tls.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) tls.pause();
    });
    tls.on('end', () => this.push(null));
    tls.on('close', () => this.destroy());
  }

  override _read(): void {
    this.#tls.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#tls.write(chunk, () => done());
  }

  override _final(done: () => void): void {
    this.#tls.end(() => done());
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    setImmediate(() => {
      if (!this.#tcp.destroyed) this.#tcp.resetAndDestroy();
    });
    done(error);
  }

  async close(): Promise<void> {
    this.destroy();
    if (!this.#tcp.closed) await once(this.#tcp, 'close');
  }
}

/** Reads until `pattern` is found in all that has come; latin1. @throws when the socket ends before. */
export async function readUntil(socket: Duplex, pattern: RegExp): Promise<string> {
  let text = '';
  for (;;) {
    const chunk: unknown = socket.read();
    if (chunk !== null) text += (chunk as Buffer).toString('latin1');
    if (pattern.test(text)) return text;
    if (chunk !== null) continue;
    if (socket.readableEnded || socket.destroyed) throw new Error(`the socket ended after: ${text}`);
    await new Promise<void>((resolve) => {
      for (const event of ['readable', 'end', 'close']) socket.once(event, resolve);
    });
  }
}

/** All that comes until the end of the socket, orderly or not; latin1. */
export async function readToEnd(socket: Duplex): Promise<string> {
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  if (socket.readableEnded || socket.destroyed) return text;
  await new Promise<void>((resolve) => {
    for (const event of ['end', 'close']) socket.once(event, resolve);
  });
  return text;
}
