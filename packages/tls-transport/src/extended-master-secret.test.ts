import { describe, expect, test } from 'vitest';
import { hasExtendedMasterSecret } from './extended-master-secret.ts';

const HEAD = '3082000002010102020303';
const CIPHER = '0402c02b';
/** A field with a length of two octets, in which there is what looks like flags. */
const LONG = `a3820100${'ad03020101'.padEnd(512, '0')}`;
const FLAGS = 'ad03020101';

const isExtended = (hex: string | undefined): boolean =>
  hasExtendedMasterSecret({ getSession: () => (hex === undefined ? undefined : Buffer.from(hex, 'hex')) });

describe('the session of OpenSSL', () => {
  test.each([
    ['with the flag', `${HEAD}${CIPHER}${FLAGS}`, true],
    ['with the flag among others', `${HEAD}${CIPHER}ad03020103`, true],
    ['behind long fields', `${HEAD}${CIPHER}${LONG}${FLAGS}`, true],
    ['behind words of Node.js', `006e6f64656a73${HEAD}${CIPHER}${FLAGS}`, true],
    ['with other flags', `${HEAD}${CIPHER}ad03020102`, false],
    ['without flags', `${HEAD}${CIPHER}`, false],
    ['with the flag inside another field only', `${HEAD}${CIPHER}${LONG}`, false],
    ['of TLS 1.3', `3082000002010102020304${CIPHER}${FLAGS}`, false],
    ['with flags of another type', `${HEAD}${CIPHER}ad03040101`, false],
    ['cut off', `${HEAD}${CIPHER}ad`, false],
    ['with a length beyond all', `${HEAD}0484ffffffff${FLAGS}`, false],
    ['that is nothing', '', false],
    ['that is not there', undefined, false],
  ])('[POL-01] %s: %s', (_title, session, expected) => {
    expect(isExtended(session)).toBe(expected);
  });
});
