import { Duplex } from 'node:stream';
import { createStanzaStream, type Limits, resolveLimits, type StanzaStream, silentLogger } from '@stanzaport/core';
import { connectionOf } from './stream-over-tcp.ts';

/** A receiving stanza stream, authenticated, over bytes of which the test decides when they come and end. */
export function streamOverDuplex(
  read: (this: Duplex) => void,
  limits: Partial<Limits> = {},
): { readonly bytes: Duplex; readonly stream: StanzaStream } {
  const bytes = new Duplex({
    read,
    write(_chunk, _encoding, done) {
      done();
    },
  });
  const stream = createStanzaStream(bytes, {
    id: '0',
    connection: connectionOf('c2s'),
    role: 'receiving',
    limits: resolveLimits(limits),
    logger: silentLogger,
  });
  stream.markAuthenticated();
  return { bytes, stream };
}
