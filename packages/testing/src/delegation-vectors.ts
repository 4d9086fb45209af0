import { createHash, X509Certificate } from 'node:crypto';
import type { Delegation, DomainQuestion } from '@stanzaport/core';
import type { CertificateVector } from './certificate-vector.ts';
import {
  createTestCa,
  type IssueOptions,
  type TestCa,
  type TestCredential,
  type TestExtension,
} from './certificates.ts';
import { sequence } from './der-writer.ts';
import type { TestKeyAlgorithm } from './test-keys.ts';
import { DOMAIN, type Expected, NAMED, withChain } from './vector-recipe.ts';

const HOUR_MS = 3_600_000;

/** What a domain says of one link, valid for an hour. @param name of a domain that may stand for it. */
export const delegatedName = (name: string, validUntilMs: number = inAnHour()): Delegation => ({
  form: 'name',
  name,
  validUntilMs,
});

/** The pin of a certificate's key (XEP-0487 `public-key-pins-sha-256`). */
export function pinOf({ der }: Pick<TestCredential, 'der'>, validUntilMs: number = inAnHour()): Delegation {
  const spki = new X509Certificate(der).publicKey.export({ type: 'spki', format: 'der' });
  return { form: 'public-key-pin', sha256: digest('sha256', spki), validUntilMs };
}

/** The fingerprint of a certificate as POSH has it (RFC 7711). */
export function fingerprintOf(
  { der }: Pick<TestCredential, 'der'>,
  hash: 'sha-256' | 'sha-512' = 'sha-256',
  validUntilMs: number = inAnHour(),
): Delegation {
  return { form: 'fingerprint', hash, digest: digest(hash === 'sha-256' ? 'sha256' : 'sha512', der), validUntilMs };
}

/**
 * Chains, and what the domain itself said about who stands for it (CERT-16 to CERT-18), with `ca.rootPem` as the only trust
 * anchor and pins that are sufficient.
 */
export async function delegationVectors(ca: TestCa): Promise<readonly CertificateVector[]> {
  return [...(await namesOf(ca)), ...(await fingerprintsOf(ca)), ...(await pinsOf(ca))];
}

type Purpose = DomainQuestion['purpose'];

function vector(
  requirement: string,
  name: string,
  expected: Expected,
  credential: TestCredential,
  delegations: readonly Delegation[],
  { domain = DOMAIN, purpose = 's2s-server' }: { domain?: string; purpose?: Purpose } = {},
): CertificateVector {
  return { requirement, name, expected, credential, question: { domain, purpose, delegations }, servable: true };
}

async function namesOf(ca: TestCa): Promise<readonly CertificateVector[]> {
  const hosterX = await ca.issue({ dnsNames: ['x.example'] });
  const hosterY = await ca.issue({ dnsNames: ['y.example'] });
  const own = await ca.issue(NAMED);
  const forged = await ca.issue({ dnsNames: ['x.example'], signer: 'self' });
  const srv = await ca.issue({ srvNames: ['_xmpp-server.x.example'] });
  const links = [delegatedName('x.example'), delegatedName('y.example')] as const;
  const row = (
    name: string,
    expected: Expected,
    credential: TestCredential,
    delegations: readonly Delegation[],
    asked?: { domain?: string; purpose?: Purpose },
  ): CertificateVector => vector('CERT-16', name, expected, credential, delegations, asked);
  const BAD = 'name-mismatch';
  return [
    row('delegated name of the link', 'good', hosterX, [links[0]]),
    row('own name on a link that delegates', 'good', own, [links[0]]),
    row('own name on the other link', 'good', own, [links[1]]),
    row('delegated name of another link', BAD, hosterY, [links[0]]),
    row('host that nobody delegated to', BAD, hosterX, []),
    row('incoming, one of all links of the domain', 'good', hosterY, links, { purpose: 's2s-client' }),
    row('delegated name in Unicode', 'good', hosterX, [delegatedName('X。example')]),
    row('delegated name by SRVName', 'good', srv, [links[0]]),
    row('delegated name by SRVName of the other service', BAD, srv, [links[0]], { purpose: 'c2s-server' }),
    row('delegated name that is out of date', BAD, hosterX, [delegatedName('x.example', Date.now() - 1)]),
    row('delegated name without an end', BAD, hosterX, [delegatedName('x.example', Number.NaN)]),
    row('delegated name that is no domain', BAD, hosterX, [delegatedName('x example')]),
    row('delegated name that is an IP address', BAD, await ca.issue({ dnsNames: ['192.0.2.1'] }), [
      delegatedName('192.0.2.1'),
    ]),
    row('delegated name asked for by what is no domain', BAD, hosterX, [links[0]], { domain: '192.0.2.1' }),
    row('delegated name on no path', 'unknown-ca', forged, [links[0]]),
    row('delegated name in the common name', BAD, await ca.issue({ commonName: 'x.example' }), [links[0]]),
  ];
}

async function fingerprintsOf(ca: TestCa): Promise<readonly CertificateVector[]> {
  const selfSigned = await ca.issue({ signer: 'self', commonName: 'Anything' });
  const own = await ca.issue(NAMED);
  const other = await ca.issue({ dnsNames: ['b.example'] });
  const row = (
    name: string,
    expected: Expected,
    credential: TestCredential,
    delegations: readonly Delegation[],
    asked?: { domain?: string; purpose?: Purpose },
  ): CertificateVector => vector('CERT-17', name, expected, credential, delegations, asked);
  const issue = (options: IssueOptions): Promise<TestCredential> => ca.issue({ signer: 'self', ...options });
  const matching = async (name: string, expected: Expected, options: IssueOptions): Promise<CertificateVector> => {
    const credential = await issue(options);
    return row(name, expected, credential, [fingerprintOf(credential)]);
  };
  const past = { notBefore: new Date(Date.now() - 2 * HOUR_MS), notAfter: new Date(Date.now() - HOUR_MS) };
  const digestOf = (text: string): Delegation => ({ ...fingerprintOf(selfSigned), digest: text }) as Delegation;
  const whole = digest('sha256', selfSigned.der);
  return [
    row('sha-256 of a self-signed certificate', 'good', selfSigned, [fingerprintOf(selfSigned)]),
    row('sha-512 of a self-signed certificate', 'good', selfSigned, [fingerprintOf(selfSigned, 'sha-512')]),
    row('one fingerprint of two', 'good', selfSigned, [fingerprintOf(own), fingerprintOf(selfSigned)]),
    row('incoming', 'good', selfSigned, [fingerprintOf(selfSigned)], { purpose: 's2s-client' }),
    row('of a certificate of another name', 'good', other, [fingerprintOf(other)]),
    row('mismatch, and a good path and name', 'good', own, [fingerprintOf(selfSigned)]),
    row('mismatch, self-signed', 'unknown-ca', selfSigned, [fingerprintOf(own)]),
    row('mismatch, another name', 'name-mismatch', other, [fingerprintOf(own)]),
    row('of an intermediate', 'unknown-ca', withChain(selfSigned, [selfSigned.der, ca.intermediate.der]), [
      fingerprintOf(ca.intermediate),
    ]),
    row('of another certificate of the chain', 'unknown-ca', withChain(selfSigned, [selfSigned.der, own.der]), [
      fingerprintOf(own),
    ]),
    row('out of date', 'unknown-ca', selfSigned, [fingerprintOf(selfSigned, 'sha-256', Date.now() - 1)]),
    row('without an end', 'unknown-ca', selfSigned, [fingerprintOf(selfSigned, 'sha-256', Number.NaN)]),
    row('without padding', 'unknown-ca', selfSigned, [digestOf(whole.replace(/=+$/, ''))]),
    row('in hexadecimal', 'unknown-ca', selfSigned, [digestOf(Buffer.from(whole, 'base64').toString('hex'))]),
    row('empty', 'unknown-ca', selfSigned, [digestOf('')]),
    row('sha-512 taken for sha-256', 'unknown-ca', selfSigned, [digestOf(digest('sha512', selfSigned.der))]),
    await matching('of a self-signed CA', 'good', { ca: true, keyUsage: null }),
    await matching('of an expired certificate', 'expired', past),
    await matching('of a certificate not yet valid', 'not-yet-valid', { notBefore: new Date(Date.now() + HOUR_MS) }),
    await matching('of a weak key', 'weak', { keyAlgorithm: 'rsa-1024' }),
    await matching('of a certificate for clients', 'key-usage', { extendedKeyUsage: ['clientAuth'] }),
    await matching('of a certificate that signs nothing', 'key-usage', { keyUsage: ['keyAgreement'] }),
    await matching('of an unknown critical extension', 'unknown-critical-extension', { extensions: [CRITICAL] }),
  ];
}

async function pinsOf(ca: TestCa): Promise<readonly CertificateVector[]> {
  const row = (
    name: string,
    expected: Expected,
    credential: TestCredential,
    delegations: readonly Delegation[],
    asked?: { domain?: string; purpose?: Purpose },
  ): CertificateVector => vector('CERT-18', name, expected, credential, delegations, asked);
  const ofKey = async (keyAlgorithm: TestKeyAlgorithm): Promise<CertificateVector> => {
    const credential = await ca.issue({ signer: 'self', keyAlgorithm });
    return row(`pin of a key ${keyAlgorithm}`, 'good', credential, [pinOf(credential)]);
  };
  const selfSigned = await ca.issue({ signer: 'self', commonName: 'Anything' });
  const renewed = await ca.issue({ signer: 'self', keyOf: selfSigned });
  const attacker = await (await createTestCa({ name: 'Attacker' })).issue(NAMED);
  const own = await ca.issue(NAMED);
  const other = await ca.issue({ dnsNames: ['b.example'] });
  const expired = await ca.issueBad('expired', DOMAIN);
  const unreadable = (sha256: string): Delegation => ({ ...pinOf(selfSigned), sha256 }) as Delegation;
  return [
    await ofKey('rsa-2048'),
    await ofKey('rsa-3072'),
    await ofKey('p-256'),
    await ofKey('p-384'),
    await ofKey('ed25519'),
    row('pinned key in another certificate', 'good', renewed, [pinOf(selfSigned)]),
    row('pinned key, another name', 'good', other, [pinOf(other)]),
    row('incoming, pinned', 'good', selfSigned, [pinOf(selfSigned)], { purpose: 's2s-client' }),
    row('pinned CA certificate merely appended', 'unknown-ca', withChain(attacker, [attacker.der, ca.rootDer]), [
      pinOf({ der: ca.rootDer }),
    ]),
    row('pinned leaf merely appended', 'unknown-ca', withChain(attacker, [...attacker.chainDer, own.der]), [
      pinOf(own),
    ]),
    row('pinned intermediate, another name', 'name-mismatch', other, [pinOf(ca.intermediate)]),
    row('no pin fits, but path and name', 'good', own, [pinOf(selfSigned)]),
    row('no pin fits, no path', 'unknown-ca', selfSigned, [pinOf(own)]),
    row('pin that cannot be decoded', 'unknown-ca', selfSigned, [unreadable('?')]),
    row('pin that cannot be decoded beside a good one', 'good', selfSigned, [unreadable('?'), pinOf(selfSigned)]),
    row('pin that is out of date', 'unknown-ca', selfSigned, [pinOf(selfSigned, Date.now() - 1)]),
    row('pin asked for by what is no domain', 'unknown-ca', selfSigned, [pinOf(selfSigned)], { domain: 'a b' }),
    row('pinned and expired', 'expired', expired, [pinOf(expired)]),
    row('fingerprint of the certificate taken for a pin', 'unknown-ca', selfSigned, [
      unreadable(digest('sha256', selfSigned.der)),
    ]),
  ];
}

const CRITICAL: TestExtension = { oid: '1.2.3.4', critical: true, value: sequence() };

const digest = (hash: string, bytes: Uint8Array): string => createHash(hash).update(bytes).digest('base64');
const inAnHour = (): number => Date.now() + HOUR_MS;
