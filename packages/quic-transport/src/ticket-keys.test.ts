import { describe, expect, test, vi } from 'vitest';
import { TICKET_KEY_BYTES } from './engine/port.ts';
import { TicketKeys } from './ticket-keys.ts';

const HOUR_MS = 3_600_000;
const SCOPE = 'c2s capulet.example';

/** A ticket sealed with this key: it begins with the key's name. */
const sealedWith = (key: Uint8Array): Uint8Array => Buffer.concat([key.subarray(0, 16), Buffer.alloc(100)]);

describe('Session ticket keys', () => {
  test('[QT-16] random ones rotate: the one before opens, older ones do not', () => {
    const keys = new TicketKeys(null, HOUR_MS);
    const first = keys.select(SCOPE, null, 0).sealing;
    const ticket = sealedWith(first);
    expect(first).toHaveLength(TICKET_KEY_BYTES);
    expect(keys.select(SCOPE, ticket, HOUR_MS - 1)).toEqual({ sealing: first, opening: first });
    const rotated = keys.select(SCOPE, ticket, HOUR_MS);
    expect(rotated.opening).toEqual(first);
    expect(rotated.sealing).not.toEqual(first);
    const dropped = keys.select(SCOPE, ticket, 2 * HOUR_MS);
    expect(dropped.opening).toEqual(dropped.sealing);
    expect(dropped.sealing).not.toEqual(rotated.sealing);
  });

  test('[QT-16] a server without visitors does not keep a key for longer', () => {
    const keys = new TicketKeys(null, HOUR_MS);
    const ticket = sealedWith(keys.select(SCOPE, null, 0).sealing);
    const { sealing, opening } = keys.select(SCOPE, ticket, 10 * HOUR_MS);
    expect(opening).toEqual(sealing);
  });

  test('[QT-16] given ones: the first seals, all open, on every server of the fleet alike', () => {
    const secrets = [1, 2, 3].map((seed) => Buffer.alloc(TICKET_KEY_BYTES, seed)) as [Buffer, Buffer, Buffer];
    const fleet = [new TicketKeys(secrets, HOUR_MS), new TicketKeys(secrets.toReversed(), HOUR_MS)] as const;
    const [here, there] = fleet.map((keys) => keys.select(SCOPE, null, 0).sealing) as [Uint8Array, Uint8Array];
    expect(here).not.toEqual(there);
    expect(fleet[1].select(SCOPE, sealedWith(here), 0)).toEqual({ sealing: there, opening: here });
    fleet[1].replace([secrets[2]]);
    expect(fleet[1].select(SCOPE, sealedWith(here), 0)).toEqual({ sealing: there, opening: there });
  });

  test('[QT-16] each scope has keys of its own, which share neither name nor secret', () => {
    const keys = new TicketKeys([Buffer.alloc(TICKET_KEY_BYTES, 7)], HOUR_MS);
    const parts = ['c2s a.example', 'c2s b.example', 's2s a.example'].flatMap((scope) => {
      const { sealing } = keys.select(scope, null, 0);
      return [0, 16, 32].map((at) => Buffer.from(sealing.subarray(at, at + 16)).toString('hex'));
    });
    expect(new Set(parts).size).toBe(9);
    const other = sealedWith(keys.select('c2s a.example', null, 0).sealing);
    const { sealing, opening } = keys.select('c2s b.example', other, 0);
    expect(opening).toEqual(sealing);
  });
});

test('[QT-20] processes with one seed have the same keys at the same time, and the ones before', () => {
  const [first, second] = [1, 2].map(() => new TicketKeys(null, HOUR_MS, Buffer.alloc(32, 3)));
  if (first === undefined || second === undefined) throw new Error('two were expected');
  vi.useFakeTimers({ toFake: ['Date'], now: 10 * HOUR_MS });
  try {
    const old = first.select('scope', null, 0).sealing;
    expect(second.select('scope', null, 77).sealing).toEqual(old);
    vi.setSystemTime(11 * HOUR_MS);
    const { sealing, opening } = second.select('scope', old, 0);
    expect(sealing).not.toEqual(old);
    expect(opening).toEqual(old);
    vi.setSystemTime(12 * HOUR_MS);
    expect(first.select('scope', old, 0).opening).not.toEqual(old);
    expect(new TicketKeys(null, HOUR_MS, Buffer.alloc(32, 4)).select('scope', null, 0).sealing).not.toEqual(
      first.select('scope', null, 0).sealing,
    );
  } finally {
    vi.useRealTimers();
  }
});
