import { webcrypto } from 'node:crypto';
import Logger, { LogLevel } from '@matrixai/logger';
import { events, QUICClient, QUICServer, type QUICStream } from '@matrixai/quic';
import {
  type BenchClient,
  type BenchStream,
  type ClientSetup,
  type Contender,
  noop,
  type ServerSetup,
  StanzaCounter,
} from '../contender.ts';
import { DOMAIN, stanzaOf } from '../work.ts';

/** The classes of @matrixai/quic around the same engine, by their own interface: Web streams, bytes only. */

const logger = new Logger('bench', LogLevel.SILENT, []);
const ALPN = ['xmpp-client'];
/** What favours them, where they let one choose: large reads, windows as those of the bare engine, silence. */
const CONFIG = { applicationProtos: ALPN, readableChunkSize: 65_536, initialMaxData: 1e12, enableEarlyData: false };

class WebStream implements BenchStream {
  onDrained: () => void = noop;
  onStanza: () => void = noop;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #stanza: Uint8Array;

  constructor(stream: QUICStream, stanzaBytes: number) {
    this.#writer = stream.writable.getWriter() as WritableStreamDefaultWriter<Uint8Array>;
    this.#stanza = new TextEncoder().encode(stanzaOf(stanzaBytes));
    this.#read(stream.readable.getReader() as ReadableStreamDefaultReader<Uint8Array>, stanzaBytes).catch(noop);
  }

  send(): boolean {
    this.#writer.write(this.#stanza).catch(noop);
    if ((this.#writer.desiredSize ?? 0) > 0) return true;
    this.#writer.ready.then(() => this.onDrained(), noop);
    return false;
  }

  async #read(reader: ReadableStreamDefaultReader<Uint8Array>, stanzaBytes: number): Promise<void> {
    const counter = new StanzaCounter(stanzaBytes);
    for (let read = await reader.read(); !read.done; read = await reader.read()) counter.take(read.value.length, this);
  }
}

async function listen(
  { certificate, key, stanzaBytes }: ServerSetup,
  onStream: (stream: BenchStream) => void,
): Promise<number> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const imported = (bytes: ArrayBuffer) =>
    webcrypto.subtle.importKey('raw', bytes, algorithm, true, ['sign', 'verify']);
  const server = new QUICServer({
    crypto: {
      key: webcrypto.getRandomValues(new Uint8Array(32)).buffer,
      ops: {
        sign: async (bytes, data) => webcrypto.subtle.sign('HMAC', await imported(bytes), data),
        verify: async (bytes, data, signature) =>
          webcrypto.subtle.verify('HMAC', await imported(bytes), signature, data),
      },
    },
    config: { ...CONFIG, cert: certificate, key, verifyPeer: false },
    logger,
  });
  server.addEventListener(events.EventQUICServerConnection.name, (accepted: Event) => {
    const connection = (accepted as events.EventQUICServerConnection).detail;
    connection.addEventListener(events.EventQUICConnectionStream.name, (opened: Event) => {
      onStream(new WebStream((opened as events.EventQUICConnectionStream).detail, stanzaBytes));
    });
  });
  await server.start({ host: '127.0.0.1', port: 0 });
  return server.port;
}

async function createClient({ port, rootCertificate, stanzaBytes }: ClientSetup): Promise<BenchClient> {
  return {
    async connect() {
      const client = await QUICClient.createQUICClient({
        host: '127.0.0.1',
        localHost: '127.0.0.1',
        port,
        serverName: DOMAIN,
        crypto: { ops: { randomBytes: async (data) => void webcrypto.getRandomValues(new Uint8Array(data)) } },
        config: { ...CONFIG, ca: rootCertificate, verifyPeer: true },
        logger,
      });
      return {
        // They have no interface for it.
        resumed: false,
        async openStream() {
          return new WebStream(client.connection.newStream(), stanzaBytes);
        },
        close: () => client.destroy({ force: true }),
      };
    },
  };
}

export const matrixai: Contender = { listen, createClient };
