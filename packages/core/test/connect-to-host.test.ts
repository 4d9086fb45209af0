import { connectToHost, TransportError } from '@stanzaport/core';
import { describe, expect, test } from 'vitest';

const refused = (address: string): Promise<never> =>
  Promise.reject(new TransportError('XMPP_REFUSED', `nobody listens at ${address}`));

describe('connectToHost', () => {
  test('[TC-09] an IP address is taken as it is; a name is resolved, and what has no address is dns', async () => {
    for (const address of ['192.0.2.1', '2001:db8::1']) {
      expect(await connectToHost(address, async (tried) => tried, undefined)).toBe(address);
    }
    expect(['127.0.0.1', '::1']).toContain(await connectToHost('localhost', async (tried) => tried, undefined));
    await expect(connectToHost('nobody.invalid', refused, undefined)).rejects.toMatchObject({ category: 'dns' });
  });

  test('[TC-09] the error is that of the last address', async () => {
    await expect(connectToHost('192.0.2.1', refused, undefined)).rejects.toThrow('nobody listens at 192.0.2.1');
  });

  test('[TC-14] called off before, it does not connect', async () => {
    const connecting = connectToHost('127.0.0.1', refused, AbortSignal.abort());
    await expect(connecting).rejects.toMatchObject({ category: 'aborted' });
  });
});
