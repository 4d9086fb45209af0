import type { ConnectionIdGenerator } from './connection-id-generator.ts';
import { QuicLbConnectionIds, QuicLbDecoder } from './quic-lb.ts';

/** Connection IDs that name the worker that made them. */
export interface WorkerConnectionIdGenerator extends ConnectionIdGenerator {
  /** The worker that made this ID, which is of the right length; null when none did. */
  workerOf(connectionId: Uint8Array): number | null;
}

/** What stands before the number; a connection ID of somebody else does not decrypt to it but by a chance of 2^-40. */
const MARK = Buffer.alloc(5);
const SERVER_ID_BYTES = MARK.length + 1;
/** With the server ID one block of AES: a single pass. */
const NONCE_BYTES = 10;

/**
 * Connection IDs of 17 bytes by QUIC-LB with single-pass encryption, whose server ID is the worker. Nobody but the
 * workers can tell from one who made it, or make one up.
 * @param key 16 bytes, the same for all workers.
 */
export function createWorkerConnectionIds(number: number, key: Uint8Array): WorkerConnectionIdGenerator {
  const parameters = { configId: 0, nonceBytes: NONCE_BYTES, key };
  const ids = new QuicLbConnectionIds({ ...parameters, serverId: Buffer.concat([MARK, Uint8Array.of(number)]) });
  const decoder = new QuicLbDecoder([{ ...parameters, serverIdBytes: SERVER_ID_BYTES }]);
  const workerOf = (connectionId: Uint8Array): number | null => {
    const serverId = decoder.serverIdOf(connectionId);
    const isMarked = serverId !== null && MARK.equals(serverId.subarray(0, MARK.length));
    return isMarked ? (serverId[MARK.length] as number) : null;
  };
  return {
    bytes: ids.bytes,
    create: () => ids.create(),
    // One that is not this worker's was another's, which is gone: otherwise it would have had the datagram.
    recognizes: (connectionId) => workerOf(connectionId) !== null,
    workerOf,
  };
}

/** @internal */
export function namesWorkers(generator: ConnectionIdGenerator): generator is WorkerConnectionIdGenerator {
  return 'workerOf' in generator && typeof generator.workerOf === 'function';
}
