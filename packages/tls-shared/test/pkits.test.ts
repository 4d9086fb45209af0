import { type CertificateReason, TransportError } from '@stanzaport/core';
import { CertificatePolicy } from '@stanzaport/tls-shared';
import { describe, expect, test } from 'vitest';
import { type PkitsTest, readPkits } from './tools/pkits.ts';

/** The day after NIST published the suite, within the validity of what it holds. */
const NOW_MS = Date.UTC(2011, 3, 15);

/** Where the verdict is not NIST's. We refuse what NIST takes, and never take what NIST refuses. */
const DIFFERENT: ReadonlyMap<string, string> = new Map([
  ...because('DSA is not accepted (CERT-12)', '4.1.4', '4.1.5'),
  ...because('a CA is no end entity (CERT-09)', '4.6.8', '4.6.14', '4.8.6', '4.14.13'),
  ...because(
    'a list of some certificates revokes those, and clears nobody (CERT-14)',
    ...['4.14.1', '4.14.4', '4.14.5', '4.14.7', '4.14.18', '4.14.19'],
  ),
  ...because(
    'lists by others than the issuer cannot be used, which is an error of configuration (CERT-14)',
    ...['4.14.22', '4.14.24', '4.14.25', '4.14.28', '4.14.29', '4.14.30', '4.14.33'],
  ),
  ...because(
    'lists of changes cannot be used, which is an error of configuration (CERT-14)',
    ...['4.15.2', '4.15.5', '4.15.7', '4.15.8'],
  ),
]);

/** Each section, and the reasons for which its invalid paths are refused. */
const SECTIONS: readonly (readonly [section: string, title: string, reasons: readonly Reason[]])[] = [
  ['4.1', 'signatures', ['bad-signature', 'encoding', 'config']],
  ['4.2', 'validity', ['expired', 'not-yet-valid']],
  ['4.3', 'chains of names', ['unknown-ca']],
  ['4.4', 'revocation', ['revoked', 'revocation-unknown', 'config']],
  ['4.5', 'self-issued certificates', ['revoked', 'not-a-ca']],
  ['4.6', 'basic constraints', ['not-a-ca', 'path-length', 'key-usage']],
  ['4.7', 'key usage', ['key-usage', 'revocation-unknown']],
  ['4.8', 'certificate policies', ['certificate-policy', 'key-usage']],
  ['4.9', 'requireExplicitPolicy', ['certificate-policy']],
  ['4.10', 'policy mappings', ['certificate-policy']],
  ['4.11', 'inhibitPolicyMapping', ['certificate-policy']],
  ['4.12', 'inhibitAnyPolicy', ['certificate-policy', 'key-usage']],
  ['4.13', 'name constraints', ['name-constraint']],
  ['4.14', 'distribution points', ['revoked', 'revocation-unknown', 'key-usage', 'config']],
  ['4.15', 'delta CRLs', ['config']],
  ['4.16', 'private extensions', ['unknown-critical-extension']],
];

/** Of a verdict, or `config` for a list that cannot be used: it stops a server before it starts. */
type Reason = CertificateReason | 'good' | 'config';

const tests = readPkits();

test('[CERT-09] all sections of PKITS are there', () => {
  expect(tests).toHaveLength(212);
  expect(new Set(tests.map(sectionOf))).toEqual(new Set(SECTIONS.map(([section]) => section)));
  expect(tests.filter(isDifferent)).toHaveLength(23);
  expect(new Set(tests.filter(isDifferent).map(({ number }) => number))).toEqual(new Set(DIFFERENT.keys()));
});

describe.each(SECTIONS)('NIST PKITS %s: %s', (section, _title, reasons) => {
  for (const one of tests.filter((candidate) => sectionOf(candidate) === section)) {
    const { number, title, valid } = one;
    if (isDifferent(one)) {
      test(`[CERT-09] ${number} ${title}: refused, as ${DIFFERENT.get(number)}`, () => {
        expect(reasonOf(one)).not.toBe('good');
      });
    } else {
      test(`[CERT-09] [CERT-10] [CERT-14] ${number} ${title}: ${valid ? 'good' : 'refused'}`, () => {
        expect(valid ? ['good'] : reasons).toContain(reasonOf(one));
      });
    }
  }
});

/** The path alone is judged: PKITS names nobody who speaks XMPP. Revocation has to be known of, as PKITS 4.4 demands. */
function reasonOf({ anchor, chain, crls }: PkitsTest): Reason {
  try {
    const policy = new CertificatePolicy({ trust: [anchor], crls, revocation: 'require' });
    const verdict = policy.verifyPeer(chain, { domain: 'a.example', purpose: 'c2s-client', jid: null }, NOW_MS);
    return verdict.verified ? 'good' : verdict.reason;
  } catch (thrown) {
    if (thrown instanceof TransportError && thrown.code === 'XMPP_BAD_OPTION') return 'config';
    throw thrown;
  }
}

function because(reason: string, ...numbers: readonly string[]): readonly (readonly [string, string])[] {
  return numbers.map((number) => [number, reason] as const);
}

function sectionOf({ number }: PkitsTest): string {
  return number.slice(0, number.lastIndexOf('.'));
}

function isDifferent({ number, valid }: PkitsTest): boolean {
  return valid && DIFFERENT.has(number);
}
