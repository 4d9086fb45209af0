import type { StanzaStream } from '@stanzaport/core';

/** A server that may be asked in 0-RTT: it answers headers at once, and does nothing else before the handshake is complete. */
export async function serve(
  stream: StanzaStream,
  features: string,
  login: (stream: StanzaStream) => void,
): Promise<void> {
  for await (const event of stream.events()) {
    if (event.type !== 'header') continue;
    stream.sendHeader();
    stream.send(features);
    break;
  }
  // A third party may have repeated a packet it recorded: no counting, no looking up, no logging in before this is true.
  if (await stream.connection.handshakeCompleted) login(stream);
}
