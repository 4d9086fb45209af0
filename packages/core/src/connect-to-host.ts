import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { unlessAborted } from './cancellable.ts';
import { TransportError } from './errors.ts';

/**
 * Tries the addresses of a host one after the other, until `connect` succeeds; the error is that of the last one.
 * @param host a name, or an IP address, which is taken as it is.
 * @throws TransportError `XMPP_NAME_NOT_RESOLVED`, `XMPP_ABORTED`, or what `connect` throws.
 */
export async function connectToHost<T>(
  host: string,
  connect: (address: string) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  const addresses = await unlessAborted(addressesOf(host), signal, `connecting to ${host}`);
  let failure: unknown = new TransportError('XMPP_NAME_NOT_RESOLVED', `${host} has no address`);
  for (const address of addresses) {
    try {
      return await connect(address);
    } catch (error) {
      if (signal?.aborted) throw error;
      failure = error;
    }
  }
  throw failure;
}

async function addressesOf(host: string): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  try {
    const addresses = await lookup(host, { all: true, verbatim: true });
    return addresses.map(({ address }) => address);
  } catch (cause) {
    throw new TransportError('XMPP_NAME_NOT_RESOLVED', `${host} could not be resolved`, { cause });
  }
}
