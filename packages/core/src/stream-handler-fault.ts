import type { StanzaStream } from './connection.ts';
import { TransportError, toTransportError } from './errors.ts';
import type { HandlerErrorSink } from './guarded-observable.ts';
import type { Logger } from './logger.ts';
import { StreamError } from './stream-error.ts';

/**
 * What becomes of a stream whose handler, given to `streams$`, threw or rejected: it ends with `internal-server-error`,
 * as it does when a handler of its stanzas fails. Nobody would go on with it otherwise.
 */
export function endingFaultyStreams(logger: Logger): HandlerErrorSink<StanzaStream> {
  return (thrown, stream) => {
    const fields = { streamId: stream?.id, connectionId: stream?.connection.id };
    // A loop over a stream rejects with the stream's own error: that is told there already, and no fault of the handler.
    if (thrown instanceof TransportError) logger.debug({ ...fields, code: thrown.code }, 'a handler of streams ended');
    else logger.error({ ...fields, err: toTransportError(thrown, 'handler') }, 'a handler of streams failed');
    stream?.abort(new StreamError('internal-server-error', { cause: thrown }));
  };
}
