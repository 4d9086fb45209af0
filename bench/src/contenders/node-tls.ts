import { once } from 'node:events';
import tls from 'node:tls';
import type { BenchClient, BenchStream, ClientSetup, Contender, ServerSetup } from '../contender.ts';
import { DOMAIN } from '../work.ts';
import { DuplexStream } from './duplex-stream.ts';

/** TLS of Node.js over TCP, as it comes: bytes only, one stream a connection. */

const ALPN = ['xmpp-client'];

interface NodeTlsOptions {
  /** TCP_NODELAY: nothing waits to be sent together with what comes later. */
  readonly noDelay: boolean;
}

async function listen(
  { certificate, key, stanzaBytes }: ServerSetup,
  onStream: (stream: BenchStream) => void,
  { noDelay }: NodeTlsOptions,
): Promise<number> {
  const server = tls.createServer({ cert: certificate, key, ALPNProtocols: ALPN, noDelay, minVersion: 'TLSv1.3' });
  server.on('secureConnection', (socket) => onStream(new DuplexStream(socket, stanzaBytes)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}

async function createClient(
  { port, rootCertificate, stanzaBytes, resume }: ClientSetup,
  { noDelay }: NodeTlsOptions,
): Promise<BenchClient> {
  const secureContext = tls.createSecureContext({ ca: rootCertificate, minVersion: 'TLSv1.3' });
  let ticket: Buffer | null = null;
  return {
    async connect() {
      const socket = tls.connect({
        host: '127.0.0.1',
        port,
        servername: DOMAIN,
        ALPNProtocols: ALPN,
        secureContext,
        ...(ticket === null ? {} : { session: ticket }),
      });
      socket.setNoDelay(noDelay);
      const stream = new DuplexStream(socket, stanzaBytes);
      // Tickets come behind the handshake, and only to those who read.
      const ticketed = resume && ticket === null ? once(socket, 'session') : null;
      await once(socket, 'secureConnect');
      if (ticketed !== null) [ticket] = (await ticketed) as [Buffer];
      return {
        resumed: socket.isSessionReused(),
        async openStream() {
          return stream;
        },
        async close() {
          const closed = once(socket, 'close');
          socket.end();
          await closed;
        },
      };
    },
  };
}

export function createNodeTls(options: NodeTlsOptions): Contender {
  return {
    listen: (setup, onStream) => listen(setup, onStream, options),
    createClient: (setup) => createClient(setup, options),
  };
}
