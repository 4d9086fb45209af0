import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { ConnectionIds } from './connection-ids.ts';
import { connectionIdKey } from './packet-header.ts';
import { ResetTokens } from './tokens.ts';

const resetTokens = new ResetTokens(randomBytes(32));

/** Routes whose generator gives what `made` says, in turn. */
function idsFrom(bytes: number, made: readonly (() => Uint8Array)[]): ConnectionIds<null> {
  const turns = [...made];
  return new ConnectionIds<null>(resetTokens, { bytes, create: () => (turns.shift() as () => Uint8Array)() });
}

describe('a generator of somebody else', () => {
  test('[QT-20] is asked again while its ID is in use, and the route of that stays', () => {
    const [used, fresh] = [randomBytes(9), randomBytes(9)];
    const ids = idsFrom(9, [() => used, () => used, () => used, () => fresh]);
    const addressee = { receive: () => undefined };
    ids.add(ids.create().id, addressee);
    expect(ids.create().id).toEqual(Uint8Array.from(fresh));
    expect(ids.find(connectionIdKey(used))).toBe(addressee);
  });

  test('[QT-20] that has nothing but one ID gets an error', () => {
    const only = randomBytes(9);
    const ids = idsFrom(
      9,
      Array(100).fill(() => only),
    );
    ids.add(ids.create().id, { receive: () => undefined });
    expect(() => ids.create()).toThrow(expect.objectContaining({ code: 'XMPP_BAD_OPTION' }));
    expect(ids.size).toBe(1);
  });

  test('[QT-20] that gives another length gets an error', () => {
    const ids = idsFrom(9, [() => randomBytes(8), () => randomBytes(10), () => new Uint8Array(0)]);
    for (let round = 0; round < 3; round++) {
      expect(() => ids.create()).toThrow(expect.objectContaining({ code: 'XMPP_BAD_OPTION' }));
    }
  });

  test('[QT-20] that throws gets an error with what it threw', () => {
    const cause = new Error('no more');
    const fail = (): never => {
      throw cause;
    };
    expect(() => idsFrom(9, [fail]).create()).toThrow(expect.objectContaining({ code: 'XMPP_INTERNAL', cause }));
  });

  test('[QT-20] that cannot say whether an ID is its own: then it is not', () => {
    const fail = (): never => {
      throw new Error('no');
    };
    const ids = new ConnectionIds<null>(resetTokens, { bytes: 9, create: fail, recognizes: fail });
    expect(ids.mayBeOurs(randomBytes(9))).toBe(false);
  });

  test('[QT-20] that writes into the same bytes each time does not change what was issued', () => {
    const bytes = new Uint8Array(9);
    const next = (): Uint8Array => {
      bytes[0] = (bytes[0] as number) + 1;
      return bytes;
    };
    const ids = idsFrom(9, [next, next]);
    const [first, second] = [ids.create(), ids.create()];
    expect([first.id[0], second.id[0]]).toEqual([1, 2]);
    expect(first.resetToken).not.toEqual(second.resetToken);
  });
});
