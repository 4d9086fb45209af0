import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import {
  type Connection,
  type ConnectionKind,
  createStanzaStream,
  type Limits,
  type Logger,
  type Role,
  resolveLimits,
  type StanzaStream,
  silentLogger,
} from '@stanzaport/core';

/** A stanza stream over one end of a real TCP connection, and the other end raw. */
export interface StreamOverTcp extends AsyncDisposable {
  readonly stream: StanzaStream;
  readonly peer: RawPeer;
}

/** The raw end: writes any bytes, and keeps what it receives. */
export class RawPeer {
  readonly socket: Socket;
  #text = '';

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString('latin1');
    });
    socket.on('error', () => undefined);
  }

  /** All that was received, one character a byte. */
  get text(): string {
    return this.#text;
  }

  write(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  /** Resolves when `pattern` is found in what was received. */
  async until(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.#text)) await once(this.socket, 'data');
  }

  /** Resolves when the stream's side has ended its bytes. */
  async ended(): Promise<void> {
    if (!this.socket.readableEnded) await once(this.socket, 'end');
  }
}

/** Only what a stanza stream reads of its connection. */
export function connectionOf(kind: ConnectionKind): Connection {
  return { id: 'tcp-1', transport: 'tcp', kind, role: 'receiving' } as Connection;
}

export interface StreamOverTcpOptions {
  readonly role?: Role;
  readonly kind?: ConnectionKind;
  readonly limits?: Partial<Limits>;
  readonly logger?: Logger;
  readonly serves?: (domain: string) => boolean;
}

export async function streamOverTcp({
  role = 'receiving',
  kind = 'c2s',
  limits = {},
  logger = silentLogger,
  serves,
}: StreamOverTcpOptions = {}): Promise<StreamOverTcp> {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const raw = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const [[socket]] = (await Promise.all([once(server, 'connection'), once(raw, 'connect')])) as [[Socket], unknown];
  const stream = createStanzaStream(socket, {
    id: '0',
    connection: connectionOf(kind),
    role,
    limits: resolveLimits(limits),
    logger,
    ...(serves === undefined ? {} : { serves }),
  });
  return {
    stream,
    peer: new RawPeer(raw),
    async [Symbol.asyncDispose]() {
      raw.destroy();
      socket.destroy();
      await stream.closed;
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A client's stream header. */
export const HEADER =
  "<?xml version='1.0'?><stream:stream to='capulet.example' version='1.0' xmlns='jabber:client' " +
  "xmlns:stream='http://etherx.jabber.org/streams'>";

/** What a stream gave its consumer, in words. */
export function record(stream: StanzaStream): { readonly events: string[]; readonly ended: Promise<string> } {
  const events: string[] = [];
  const ended = new Promise<string>((resolve) => {
    stream.events$.subscribe({
      next: (event) => {
        if (event.type === 'header') events.push('header');
        else if (event.type === 'stanza') events.push(event.stanza.source);
      },
      error: (error: Error & { condition?: string; code: string }) => resolve(error.condition ?? error.code),
      complete: () => resolve('clean'),
    });
  });
  return { events, ended };
}
