import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import {
  type CloseReason,
  type Connection,
  Inbox,
  type Listener,
  type ListenOptions,
  type SocketAddress,
  type Transport,
  TransportError,
} from '@stanzaport/core';
import { EMPTY, type Observable, Subject } from 'rxjs';

/** A transport that binds real ports, and whose connections can do nothing but end. */
export class TcpTransport implements Transport {
  readonly name: string = 'tcp';
  /** What the listeners accept, beside the contract. */
  readonly accepted$: Subject<Connection> = new Subject();

  async listen({ host = '127.0.0.1', port }: ListenOptions): Promise<Listener> {
    const server = createServer();
    server.listen(port, host);
    try {
      await once(server, 'listening');
    } catch (cause) {
      throw new TransportError('XMPP_ADDRESS_IN_USE', `${host}:${port}`, { cause });
    }
    return new TcpListener(server, this.accepted$);
  }

  connect(): Promise<Connection> {
    return Promise.reject(new TransportError('XMPP_INVALID_STATE', 'this transport only listens'));
  }
}

class TcpListener implements Listener {
  readonly transport: string = 'tcp';
  readonly address: SocketAddress;
  readonly connections$: Observable<Connection>;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(server: Server, accepted$: Subject<Connection>) {
    const { address, port } = server.address() as AddressInfo;
    this.#server = server;
    this.address = { family: 'IPv4', address, port };
    const inbox = new Inbox<Connection>((thrown) => {
      throw thrown;
    });
    this.connections$ = inbox.observable;
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      const connection = connectionOver(socket);
      inbox.push(connection);
      accepted$.next(connection);
    });
    server.on('close', () => inbox.complete());
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Its `id` is the peer's port. */
function connectionOver(socket: Socket): Connection {
  const closed = new Promise<CloseReason>((resolve) => {
    socket.on('close', () => resolve({ clean: true, by: 'peer', error: null }));
  });
  socket.resume();
  return { id: String(socket.remotePort), streams$: EMPTY, closed } as unknown as Connection;
}
