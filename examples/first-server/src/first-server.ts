import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { coreModule, type StanzaStream, TransportHub } from '@stanzaport/core';
import { quicTransportModule } from '@stanzaport/quic-transport';
import { tlsModule } from '@stanzaport/tls-shared';
import xml from '@xmpp/xml';
import { Container } from 'inversify';
import { pino } from 'pino';

const container = new Container();
container.load(
  coreModule({ logger: pino() }),
  tlsModule({ credentials: [{ domain: 'capulet.example', cert: 'capulet.crt', key: 'capulet.key' }] }),
  quicTransportModule({ listen: [{ host: '::', port: Number(process.env.PORT ?? 443) }] }),
);
const hub = container.get(TransportHub);
hub.streams$.subscribe(serve);
await hub.start();
for (const { transport, address } of hub.listeners) console.log(`${transport} listens on port ${address.port}`);

/** Lets anybody in (RFC 4505), binds a resource, and sends every message back. */
async function serve(stream: StanzaStream): Promise<void> {
  const jid = `${randomUUID()}@capulet.example/home`;
  const sasl = { xmlns: 'urn:ietf:params:xml:ns:xmpp-sasl' };
  const bind = { xmlns: 'urn:ietf:params:xml:ns:xmpp-bind' };
  let offer = xml('mechanisms', sasl, xml('mechanism', {}, 'ANONYMOUS'));
  for await (const event of stream.events()) {
    if (event.type === 'header') {
      stream.sendHeader();
      stream.send(xml('stream:features', {}, offer));
    } else if (event.type === 'stanza') {
      const { name, id, type, to, element } = event.stanza;
      if (name === 'auth') {
        stream.send(xml('success', sasl));
        stream.markAuthenticated();
        stream.restart();
        offer = xml('bind', bind);
      } else if (name === 'iq') {
        stream.send(xml('iq', { type: 'result', id }, xml('bind', bind, xml('jid', {}, jid))));
      } else if (name === 'message') {
        stream.send(xml('message', { type, from: to, to: jid }, ...element.children));
      }
    }
  }
}
