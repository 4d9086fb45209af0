import { type Logger, type StanzaStream, StreamError, type StreamEvent, TransportError } from '@stanzaport/core';

/** Gives every event of `stream` to `handle`, one after the other; resolves when the stream has ended, never rejects. */
export async function runStream(
  stream: StanzaStream,
  logger: Logger,
  handle: (event: StreamEvent) => Promise<void> | void,
): Promise<void> {
  try {
    for await (const event of stream.events()) await handle(event);
  } catch (thrown) {
    const fields = { streamId: stream.id, err: thrown };
    // A stream that fails throws its own TransportError; anything else is a fault of this server.
    if (thrown instanceof TransportError) logger.debug(fields, 'the stream ended with an error');
    else {
      logger.error(fields, 'the session failed');
      stream.abort(new StreamError('internal-server-error'));
    }
  }
}
