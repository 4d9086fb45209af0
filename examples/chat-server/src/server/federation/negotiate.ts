import { type Stanza, type StanzaStream, type StreamEvent, TransportError } from '@stanzaport/core';
import xml from '@xmpp/xml';
import { NS } from '../../namespaces.ts';

/**
 * Opens a stream from one domain to another: header, features, SASL EXTERNAL, restart, features (XEP-0178 §3).
 * @returns the events that follow.
 * @throws TransportError when the stream ends, or the peer does not keep to the rules.
 */
export async function negotiate(
  stream: StanzaStream,
  { local, remote }: { readonly local: string; readonly remote: string },
): Promise<AsyncIterator<StreamEvent, undefined>> {
  const events: AsyncIterator<StreamEvent, undefined> = stream.events()[Symbol.asyncIterator]();
  stream.sendHeader({ from: local, to: remote });
  const features = await expect(events, 'features');
  const offered = features.element.getChild('mechanisms', NS.sasl)?.getChildren('mechanism') ?? [];
  if (!offered.some((mechanism) => mechanism.getText() === 'EXTERNAL')) {
    throw violation(`${remote} does not offer EXTERNAL to ${local}`);
  }
  // Not `=`, though it would mean the same: some servers want it in full (XEP-0178 §3).
  const identity = Buffer.from(local).toString('base64');
  stream.send(xml('auth', { xmlns: NS.sasl, mechanism: 'EXTERNAL' }, identity));
  await expect(events, 'success');
  stream.restart();
  stream.sendHeader({ from: local, to: remote });
  await expect(events, 'features');
  return events;
}

async function expect(events: AsyncIterator<StreamEvent, undefined>, name: 'features' | 'success'): Promise<Stanza> {
  for (;;) {
    const { value, done } = await events.next();
    if (done || value.type === 'close') throw new TransportError('XMPP_PEER_CLOSED', 'the peer has closed the stream');
    if (value.type !== 'stanza') continue;
    const { stanza } = value;
    if (stanza.name === name && (name === 'features' || stanza.namespace === NS.sasl)) return stanza;
    const condition = stanza.element.getChildElements()[0]?.getName() ?? 'no condition';
    throw violation(`<${stanza.name}/> (${condition}) came instead of <${name}/>`);
  }
}

function violation(message: string): TransportError {
  return new TransportError('XMPP_BAD_STREAM', message);
}
