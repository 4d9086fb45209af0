import { once } from 'node:events';
import { type AddressInfo, createServer, Socket } from 'node:net';
import { Duplex } from 'node:stream';
import {
  type ErrorCode,
  endWithError,
  type Limits,
  type Logger,
  NO_TLS,
  type Role,
  SingleStreamConnection,
  SingleStreamListener,
  type SocketAddress,
  type Transport,
  TransportError,
} from '@stanzaport/core';

const CODES: Readonly<Record<string, ErrorCode>> = {
  ABORT_ERR: 'XMPP_ABORTED',
  ECONNREFUSED: 'XMPP_REFUSED',
  ENOTFOUND: 'XMPP_NAME_NOT_RESOLVED',
  ERR_SOCKET_BAD_PORT: 'XMPP_BAD_OPTION',
};

/** XML streams of clients over bare TCP. A toy for closed test networks: it encrypts nothing, and nobody proves anything. */
export function toyTransport(limits: Limits, logger: Logger): Transport {
  const transport = 'toy-tcp';
  const connectionOver = (socket: Socket, role: Role): SingleStreamConnection => {
    const local = addressOf(socket.localFamily, socket.localAddress, socket.localPort);
    const path = { local, remote: addressOf(socket.remoteFamily, socket.remoteAddress, socket.remotePort) };
    const options = { transport, kind: 'c2s', role, security: NO_TLS, path, limits, logger } as const;
    return new SingleStreamConnection(bytesOf(socket), options);
  };
  return {
    name: transport,
    async listen({ host = '::', port, kinds = ['c2s'] }) {
      if (kinds.join() !== 'c2s') throw new TransportError('XMPP_BAD_OPTION', `listen: ${transport} is for c2s alone`);
      const server = createServer({ allowHalfOpen: true, noDelay: true });
      try {
        await once(server.listen(port, host), 'listening');
      } catch (error) {
        const cause = error as NodeJS.ErrnoException;
        const code = cause.code === 'EADDRINUSE' ? 'XMPP_ADDRESS_IN_USE' : 'XMPP_ADDRESS_UNAVAILABLE';
        throw new TransportError(code, `listening on ${host} port ${port}: ${cause.message}`, { cause });
      }
      const bound = server.address() as AddressInfo;
      const address = addressOf(bound.family, bound.address, bound.port);
      const stopAccepting = (): Promise<unknown> => new Promise((resolve) => server.close(resolve));
      const listener = new SingleStreamListener({ transport, address, limits, logger, stopAccepting });
      server.maxConnections = 1_000;
      server.on('connection', (socket) => {
        if (socket.remoteAddress === undefined) socket.destroy();
        else listener.announce(connectionOver(socket, 'receiving'));
      });
      return listener;
    },
    async connect({ kind, domain, host = domain, port = 5222 }, { signal } = {}) {
      if (kind !== 'c2s') throw new TransportError('XMPP_BAD_OPTION', `connect: ${transport} is for c2s alone`);
      const socket = new Socket({ allowHalfOpen: true });
      const overdue = new TransportError('XMPP_HANDSHAKE_TIMEOUT', `${host} port ${port} does not answer`);
      socket.setTimeout(limits.handshakeTimeoutMs, () => socket.destroy(overdue));
      try {
        await once(socket.connect({ host, port, noDelay: true }), 'connect', { signal });
      } catch (error) {
        socket.destroy();
        if (error === overdue) throw overdue;
        const cause = error as NodeJS.ErrnoException;
        const code = CODES[cause.code ?? ''] ?? 'XMPP_UNREACHABLE';
        throw new TransportError(code, `connecting to ${host} port ${port}: ${cause.message}`, { cause });
      }
      socket.setTimeout(0);
      return connectionOver(socket, 'initiating');
    },
  };
}

/** What came before a failure is kept for the reader; what is given up is reset, so that the peer sees no orderly end. */
export function bytesOf(socket: Socket): Duplex {
  const bytes = new Duplex({
    read: () => void socket.resume(),
    write: (chunk, _encoding, done) => void socket.write(chunk, () => done()),
    final: (done) => void socket.end(() => done()),
    destroy(error, done) {
      if (socket.writableFinished) socket.destroy();
      else setImmediate(() => socket.resetAndDestroy());
      done(error);
    },
  });
  socket.on('data', (chunk) => bytes.push(chunk) || socket.pause());
  socket.on('end', () => bytes.push(null));
  socket.on('error', (cause) => endWithError(bytes, new TransportError('XMPP_PEER_RESET', cause.message, { cause })));
  return bytes;
}

function addressOf(family: string | undefined, address = '', port = 0): SocketAddress {
  return { family: family === 'IPv4' ? 'IPv4' : 'IPv6', address, port };
}
