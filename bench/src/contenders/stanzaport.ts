import 'reflect-metadata';
import { coreModule, type StanzaStream, TransportHub } from '@stanzaport/core';
import { quicTransportModule, type SessionTicketStore } from '@stanzaport/quic-transport';
import { type TlsOptions, tlsModule } from '@stanzaport/tls-shared';
import { directTlsModule } from '@stanzaport/tls-transport';
import { Container, type ContainerModule } from 'inversify';
import {
  type BenchClient,
  type BenchStream,
  type ClientSetup,
  type Contender,
  noop,
  type ServerSetup,
} from '../contender.ts';
import { DOMAIN, stanzaOf } from '../work.ts';

/**
 * Everything a user of the library has: container, hub, certificate verification, stanza streams, XML reader with all
 * its checks, Observables.
 */

type Name = 'quic' | 'direct-tls';

/** One ticket for all connections, as the others have it; the store of the transport uses none twice. */
class OneTicket implements SessionTicketStore {
  readonly came: Promise<void>;
  #ticket: Uint8Array | null = null;
  #tell: () => void = noop;

  constructor() {
    this.came = new Promise((resolve) => {
      this.#tell = resolve;
    });
  }

  take(): Uint8Array | null {
    return this.#ticket;
  }

  put(_scope: string, ticket: Uint8Array): void {
    this.#ticket ??= ticket;
    this.#tell();
  }
}

function createHub(transport: ContainerModule, tls: TlsOptions): TransportHub {
  const container = new Container();
  container.load(coreModule(), tlsModule(tls), transport);
  return container.get(TransportHub);
}

class FullStream implements BenchStream {
  onDrained: () => void = noop;
  onStanza: () => void = noop;
  readonly #stream: StanzaStream;
  readonly #stanza: string;

  constructor(stream: StanzaStream, stanza: string) {
    this.#stream = stream;
    this.#stanza = stanza;
  }

  send(): boolean {
    if (this.#stream.send(this.#stanza)) return true;
    this.#stream.drained().then(() => this.onDrained(), noop);
    return false;
  }
}

async function listen(name: Name, setup: ServerSetup, onStream: (stream: BenchStream) => void): Promise<number> {
  const stanza = stanzaOf(setup.stanzaBytes);
  const credentials = [{ domain: DOMAIN, cert: setup.certificate, key: setup.key }];
  const listen = [{ host: '127.0.0.1', port: setup.worker?.port ?? 0 }];
  const workers = setup.worker ?? null;
  const transport = name === 'quic' ? quicTransportModule({ listen, workers }) : directTlsModule({ listen });
  const hub = createHub(transport, { credentials });
  hub.streams$.subscribe((stream) => {
    const full = new FullStream(stream, stanza);
    onStream(full);
    stream.events$.subscribe({
      next: ({ type }) => {
        if (type === 'stanza') {
          full.onStanza();
        } else if (type === 'header') {
          stream.sendHeader();
          stream.markAuthenticated();
        }
      },
      error: noop,
    });
  });
  await hub.start();
  return hub.listeners[0]?.address.port ?? 0;
}

async function createClient(name: Name, setup: ClientSetup): Promise<BenchClient> {
  const stanza = stanzaOf(setup.stanzaBytes);
  const ticket = setup.resume && name === 'quic' ? new OneTicket() : null;
  const transport = name === 'quic' ? quicTransportModule({ sessionTickets: ticket ?? 'none' }) : directTlsModule();
  const hub = createHub(transport, { trust: [setup.rootCertificate] });
  return {
    async connect() {
      const target = { kind: 'c2s', domain: DOMAIN, host: '127.0.0.1', port: setup.port } as const;
      const connection = await hub.transport(name).connect(target);
      await ticket?.came;
      return {
        resumed: connection.security.resumed === true,
        async openStream() {
          const stream = await connection.openStream();
          const full = new FullStream(stream, stanza);
          await new Promise<void>((resolve, reject) => {
            stream.events$.subscribe({
              next: ({ type }) => {
                if (type === 'stanza') full.onStanza();
                else if (type === 'header') resolve();
              },
              error: reject,
            });
            stream.sendHeader({ to: DOMAIN });
          });
          return full;
        },
        close: () => connection.close(),
      };
    },
  };
}

const contenderOf = (name: Name): Contender => ({
  listen: (setup, onStream) => listen(name, setup, onStream),
  createClient: (setup) => createClient(name, setup),
});

export const quic: Contender = contenderOf('quic');
export const directTls: Contender = contenderOf('direct-tls');
