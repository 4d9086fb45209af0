import 'reflect-metadata';
import { coreModule, type StanzaStream, TransportHub } from '@stanzaport/core';
import { quicTransportModule } from '@stanzaport/quic-transport';
import { tlsModule } from '@stanzaport/tls-shared';
import { Container } from 'inversify';
import { DOMAIN, type Measurement, STANZA, type Work } from './work.ts';

/**
 * Everything a user of the library has: container, hub, certificate verification, stanza streams, XML reader with all
 * its checks, Observables.
 */

function createHub(modules: { readonly tls: Parameters<typeof tlsModule>[0]; readonly listen: boolean }): TransportHub {
  const container = new Container();
  container.load(
    coreModule(),
    tlsModule(modules.tls),
    quicTransportModule(modules.listen ? { listen: [{ host: '127.0.0.1', port: 0 }] } : {}),
  );
  return container.get(TransportHub);
}

export async function startFullServer(work: Work, certificate: string, key: string): Promise<number> {
  const hub = createHub({ tls: { credentials: [{ domain: DOMAIN, cert: certificate, key }] }, listen: true });
  hub.streams$.subscribe((stream) => serve(stream, work));
  await hub.start();
  return hub.listeners[0]?.address.port ?? 0;
}

function serve(stream: StanzaStream, work: Work): void {
  let received = 0;
  stream.events$.subscribe((event) => {
    if (event.type === 'header') {
      stream.sendHeader();
      stream.markAuthenticated();
    } else if (event.type === 'stanza') {
      received += 1;
      if (work.task === 'echo') stream.send(event.stanza);
      else if (received === work.stanzas) stream.send('<message/>');
    }
  });
}

export async function runFullClient(work: Work, port: number, rootCertificate: string): Promise<Measurement> {
  const hub = createHub({ tls: { trust: [rootCertificate] }, listen: false });
  const target = { kind: 'c2s', domain: DOMAIN, host: '127.0.0.1', port } as const;
  const connection = await hub.transport('quic').connect(target);
  const stream = await connection.openStream();
  const roundTripsMs: number[] = [];
  const seconds = await new Promise<number>((resolve, reject) => {
    let startedAt = 0;
    let sentAt = 0;
    const sendOne = (): void => {
      sentAt = performance.now();
      stream.send(STANZA);
    };
    stream.events$.subscribe({
      next: (event) => {
        if (event.type === 'header') {
          startedAt = performance.now();
          if (work.task === 'echo') sendOne();
          else sendAll(stream, work.stanzas).catch(reject);
        } else if (event.type === 'stanza') {
          if (work.task === 'echo') {
            roundTripsMs.push(performance.now() - sentAt);
            if (roundTripsMs.length < work.stanzas) {
              sendOne();
              return;
            }
          }
          resolve((performance.now() - startedAt) / 1_000);
        }
      },
      error: reject,
    });
    stream.sendHeader({ to: DOMAIN });
  });
  await connection.close();
  await hub.stop();
  return { seconds, roundTripsMs };
}

async function sendAll(stream: StanzaStream, stanzas: number): Promise<void> {
  for (let sent = 0; sent < stanzas; sent++) {
    if (!stream.send(STANZA)) await stream.drained();
  }
}
