import type { Duplex } from 'node:stream';
import type { BenchClient, BenchStream, ClientSetup, Contender, ServerSetup } from '../contender.ts';
import { entryOfHttp3 } from '../fetched-peer.ts';
import { DOMAIN } from '../work.ts';
import { DuplexStream } from './duplex-stream.ts';

/** The raw QUIC of @currentspace/http3, which needs Node.js 24: its own streams, bytes only. */

/** As much of its interface as is used here. */
interface Http3 {
  createQuicServer(options: object): {
    on(event: 'session', listener: (session: Session) => void): void;
    listen(port: number, host: string): Promise<{ readonly port: number }>;
  };
  connectQuic(authority: string, options: object): Session & { ready(): Promise<void> };
}

interface Session {
  on(event: 'stream', listener: (stream: Duplex) => void): void;
  on(event: 'error', listener: (error: Error) => void): void;
  openStream(): Duplex;
  close(): Promise<void>;
}

const ALPN = ['xmpp-client'];

const load = async (): Promise<Http3> => (await import(entryOfHttp3())) as Http3;

async function listen(setup: ServerSetup, onStream: (stream: BenchStream) => void): Promise<number> {
  const { createQuicServer } = await load();
  const { certificate, key, stanzaBytes } = setup;
  const server = createQuicServer({
    cert: certificate,
    key,
    alpn: ALPN,
    maxIdleTimeoutMs: 180_000,
    maxConnections: 20_000,
  });
  server.on('session', (session) => {
    session.on('stream', (stream) => onStream(new DuplexStream(stream, stanzaBytes)));
    session.on('error', () => undefined);
  });
  return (await server.listen(0, '127.0.0.1')).port;
}

async function createClient({ port, rootCertificate, stanzaBytes }: ClientSetup): Promise<BenchClient> {
  const { connectQuic } = await load();
  return {
    async connect() {
      const session = connectQuic(`127.0.0.1:${port}`, {
        ca: rootCertificate,
        alpn: ALPN,
        servername: DOMAIN,
        maxIdleTimeoutMs: 180_000,
      });
      session.on('error', () => undefined);
      await session.ready();
      return {
        // Nothing in its interface tells.
        resumed: false,
        async openStream() {
          return new DuplexStream(session.openStream(), stanzaBytes);
        },
        close: () => session.close(),
      };
    },
  };
}

export const http3: Contender = { listen, createClient };
