import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PeerVerdict } from '@stanzaport/core';
import {
  type CrlOptions,
  createCrl,
  createOcspResponse,
  createTestCa,
  type IssueOptions,
  pinOf,
} from '@stanzaport/testing';
import { CertificatePolicy, type CertificatePolicyOptions } from '@stanzaport/tls-shared';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recordingLogger } from './tools/recording-logger.ts';

const ca = await createTestCa();
const leaf = await ca.issue({ dnsNames: ['a.example'] });
const other = await ca.issue({ dnsNames: ['b.example'] });
const QUESTION = { domain: 'a.example', purpose: 's2s-server' } as const;
const past = new Date(Date.now() - 60_000);
const rootCrl = createCrl(ca.root);
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stanzaport-'));
});
afterAll(() => rm(folder, { recursive: true }));

function judge(options: CertificatePolicyOptions, ocspResponse: Uint8Array | null = null): PeerVerdict {
  return new CertificatePolicy({ trust: [ca.rootPem], ...options }).verifyPeer(leaf.chainDer, QUESTION, {
    ocspResponse,
  });
}
const reasonOf = (verdict: PeerVerdict): string => (verdict.verified ? 'good' : verdict.reason);
const byList = (options: CrlOptions, mode: CertificatePolicyOptions = {}): string =>
  reasonOf(judge({ crls: [createCrl(ca.intermediate, options), rootCrl], ...mode }));
const REQUIRE = { revocation: 'require' } as const;
/** issuingDistributionPoint with onlyContainsUserCerts. */
const USER_CERTIFICATES = { oid: '2.5.29.28', critical: true, value: Uint8Array.of(0x30, 3, 0x81, 1, 0xff) };

describe('lists of revoked certificates', () => {
  test('[CERT-14] without any information a certificate is good, unless it is required', () => {
    expect(reasonOf(judge({}))).toBe('good');
    expect(judge(REQUIRE)).toMatchObject({ reason: 'revocation-unknown', alert: 46 });
  });

  test('[CERT-14] who is on the list of the issuer is refused with certificate_revoked', () => {
    const crls = [createCrl(ca.intermediate, { revoked: [other, leaf] })];
    expect(judge({ crls })).toMatchObject({ verified: false, reason: 'revoked', alert: 44 });
    expect(byList({ revoked: [other] })).toBe('good');
    expect(byList({ revoked: [other] }, REQUIRE)).toBe('good');
  });

  test('[CERT-14] a CA on the path can be revoked too', () => {
    expect(reasonOf(judge({ crls: [createCrl(ca.root, { revoked: [ca.intermediate] })] }))).toBe('revoked');
  });

  test('[CERT-14] required means of every certificate below the anchor', () => {
    expect(reasonOf(judge({ crls: [createCrl(ca.intermediate)], ...REQUIRE }))).toBe('revocation-unknown');
    expect(reasonOf(judge({ crls: [rootCrl], ...REQUIRE }))).toBe('revocation-unknown');
    expect(byList({}, REQUIRE)).toBe('good');
  });

  test('[CERT-14] a list that is out of date still revokes, but clears nobody', () => {
    expect(byList({ revoked: [leaf], nextUpdate: past })).toBe('revoked');
    expect(byList({ nextUpdate: past })).toBe('good');
    expect(byList({ nextUpdate: past }, REQUIRE)).toBe('revocation-unknown');
    expect(byList({ thisUpdate: new Date(Date.now() + 60_000) }, REQUIRE)).toBe('revocation-unknown');
  });

  test('[CERT-14] a list that another key signed says nothing', async () => {
    const forger = await ca.issue({ ca: true, signer: 'self' });
    expect(byList({ revoked: [leaf], signedBy: forger })).toBe('good');
    expect(byList({ signedBy: forger }, REQUIRE)).toBe('revocation-unknown');
    const namesake = await createTestCa();
    expect(reasonOf(judge({ crls: [createCrl(namesake.intermediate, { revoked: [leaf] })] }))).toBe('good');
    const ofAnother = createCrl(ca.root, { revoked: [leaf], signedBy: ca.intermediate });
    expect(reasonOf(judge({ crls: [ofAnother] }))).toBe('good');
  });

  test('[CERT-14] a CA that may not sign lists does not', async () => {
    const signer = await ca.issue({ commonName: 'Sub CA', ca: true, signer: ca.root, keyUsage: ['keyCertSign'] });
    const credential = await ca.issue({ dnsNames: ['a.example'], signer });
    const policy = new CertificatePolicy({
      trust: [ca.rootPem],
      crls: [createCrl(signer, { revoked: [credential] })],
    });
    expect(reasonOf(policy.verifyPeer(credential.chainDer, QUESTION))).toBe('good');
  });

  describe('signed with another key of the CA, which the peer presents', () => {
    const FOR_LISTS = { commonName: 'Test Intermediate CA', keyUsage: ['cRLSign'], extendedKeyUsage: null } as const;
    const elsewhere = { notBefore: new Date(past.getTime() - 60_000), notAfter: past };

    test.each<[string, IssueOptions, 'revoked' | 'good', string]>([
      ['certified by the same CA above', { ...FOR_LISTS, signer: ca.root }, 'revoked', 'good'],
      ['certified by the CA itself', { ...FOR_LISTS, signer: ca.intermediate }, 'revoked', 'good'],
      ['self-signed', { ...FOR_LISTS, signer: 'self' }, 'good', 'revocation-unknown'],
      ['of another name', { ...FOR_LISTS, commonName: 'Test', signer: ca.root }, 'good', 'revocation-unknown'],
      ['not for lists', { ...FOR_LISTS, keyUsage: ['keyCertSign'], ca: true }, 'good', 'revocation-unknown'],
      ['for everything', { ...FOR_LISTS, keyUsage: null, signer: ca.root }, 'good', 'revocation-unknown'],
      ['out of date', { ...FOR_LISTS, ...elsewhere, signer: ca.root }, 'good', 'revocation-unknown'],
    ])('[CERT-14] %s', async (_title, options, revoked, required) => {
      const other = await ca.issue(options);
      const verdict = (listed: CrlOptions['revoked'] & {}, mode: CertificatePolicyOptions): string => {
        const crls = [createCrl(ca.intermediate, { revoked: listed, signedBy: other }), rootCrl];
        const policy = new CertificatePolicy({ trust: [ca.rootPem], crls, ...mode });
        return reasonOf(policy.verifyPeer([...leaf.chainDer, other.der], QUESTION));
      };
      expect(verdict([leaf], {})).toBe(revoked);
      expect(verdict([], REQUIRE)).toBe(required);
    });

    test('[CERT-14] a key that was itself revoked clears nobody', async () => {
      const other = await ca.issue({ ...FOR_LISTS, signer: ca.root });
      const crls = [createCrl(ca.intermediate, { signedBy: other }), createCrl(ca.root, { revoked: [other] })];
      const policy = new CertificatePolicy({ trust: [ca.rootPem], crls, ...REQUIRE });
      expect(reasonOf(policy.verifyPeer([...leaf.chainDer, other.der], QUESTION))).toBe('revocation-unknown');
    });
  });

  test('[CERT-14] a list of some certificates revokes those, and clears nobody', () => {
    expect(byList({ revoked: [leaf], extensions: [USER_CERTIFICATES] })).toBe('revoked');
    expect(byList({ extensions: [USER_CERTIFICATES] }, REQUIRE)).toBe('revocation-unknown');
  });

  test('[CERT-14] neither a pin nor another path saves a certificate that was revoked', async () => {
    const crls = [createCrl(ca.intermediate, { revoked: [leaf] })];
    const policy = new CertificatePolicy({ trust: [ca.rootPem], crls });
    const pinned = { ...QUESTION, delegations: [pinOf(leaf)] };
    expect(reasonOf(policy.verifyPeer(leaf.chainDer, pinned))).toBe('revoked');
    expect(reasonOf(policy.verifyPeer([leaf.der], pinned))).toBe('revoked');
    const required = new CertificatePolicy({ trust: [ca.rootPem], ...REQUIRE });
    expect(reasonOf(required.verifyPeer(leaf.chainDer, pinned))).toBe('revocation-unknown');
    const renewedCa = await ca.issue({
      commonName: 'Test Intermediate CA',
      ca: true,
      keyOf: ca.intermediate,
      signer: ca.root,
    });
    expect(reasonOf(policy.verifyPeer([leaf.der, renewedCa.der, ca.intermediate.der], QUESTION))).toBe('revoked');
  });

  test('[CERT-13] [CERT-14] nor does a maze of CAs that exhausts the search', async () => {
    const { intermediate } = ca;
    const copy = { commonName: 'Test Intermediate CA', ca: true, keyOf: intermediate, signer: 'self' } as const;
    const copies = await Promise.all(Array.from({ length: 8 }, () => ca.issue(copy)));
    const chain = [leaf.der, intermediate.der, ...copies.map(({ der }) => der)];
    const pinned = { ...QUESTION, delegations: [pinOf(leaf)] };
    const judgeMaze = (crls: Uint8Array[]): PeerVerdict =>
      new CertificatePolicy({ trust: [ca.rootPem], crls, ...REQUIRE }).verifyPeer(chain, pinned);
    expect(reasonOf(judgeMaze([]))).toBe('limit');
    expect(reasonOf(judgeMaze([createCrl(intermediate, { revoked: [leaf] })]))).toBe('revoked');
  });

  test('[CERT-14] lists can be replaced; bad new ones leave the old ones in force', () => {
    const policy = new CertificatePolicy({ trust: [ca.rootPem] });
    const reason = (): string => reasonOf(policy.verifyPeer(leaf.chainDer, QUESTION));
    expect(reason()).toBe('good');
    policy.replaceCrls([createCrl(ca.intermediate, { revoked: [leaf] })]);
    expect(reason()).toBe('revoked');
    expect(() => policy.replaceCrls([Uint8Array.of(1)])).toThrow(expect.objectContaining({ code: 'XMPP_BAD_OPTION' }));
    expect(reason()).toBe('revoked');
    policy.replaceCrls([]);
    expect(reason()).toBe('good');
  });

  test('[CERT-14] a file may hold several, PEM or DER; one out of date is said so', async () => {
    const list = createCrl(ca.intermediate, { revoked: [leaf], nextUpdate: past });
    const pem = [rootCrl, list].map(toPemCrl).join('\n');
    const files = { pem: join(folder, 'lists.pem'), der: join(folder, 'list.crl') };
    await writeFile(files.pem, pem);
    await writeFile(files.der, list);
    const { logger, records } = recordingLogger();
    for (const source of [pem, Buffer.from(pem), files.pem, files.der, list]) {
      const policy = new CertificatePolicy({ trust: [ca.rootPem], crls: [source] }, logger);
      expect(reasonOf(policy.verifyPeer(leaf.chainDer, QUESTION))).toBe('revoked');
    }
    expect(records).toHaveLength(5);
    expect(records[2]).toMatchObject({ level: 'warn', fields: { crl: files.pem } });
  });

  const critical = { oid: '1.2.3.4', critical: true, value: Uint8Array.of(5, 0) };
  test.each<[string, () => string | Uint8Array, string]>([
    ['a file that is not there', () => '/absent.crl', '/absent.crl'],
    ['a certificate', () => ca.rootPem, 'crls[0]'],
    ['rubbish', () => Uint8Array.of(0x30, 1), 'crls[0]'],
    ['a list cut off', () => rootCrl.subarray(0, -1), 'crls[0]'],
    ['a list signed with SHA-1', () => createCrl(ca.root, { hash: 'sha1' }), 'weak'],
    ['an unknown critical extension', () => createCrl(ca.root, { extensions: [critical] }), 'crls[0]'],
    [
      'an unknown critical extension of an entry',
      () => createCrl(ca.root, { revoked: [leaf], entryExtensions: [critical] }),
      'crls[0]',
    ],
    ['a delta', () => createCrl(ca.root, { extensions: [{ ...critical, oid: '2.5.29.27' }] }), 'crls[0]'],
    [
      'an indirect list',
      () =>
        createCrl(ca.root, { extensions: [{ ...USER_CERTIFICATES, value: Uint8Array.of(0x30, 3, 0x84, 1, 0xff) }] }),
      'crls[0]',
    ],
  ])('[CERT-14] %s is a config error', (_, source, place) => {
    expect(() => judge({ crls: [source()] })).toThrow(
      expect.objectContaining({ code: 'XMPP_BAD_OPTION', category: 'config', message: expect.stringContaining(place) }),
    );
  });

  test('[CERT-14] a mode that is none is a config error', () => {
    expect(() => judge({ revocation: 'sometimes' as 'require' })).toThrow(
      expect.objectContaining({ code: 'XMPP_BAD_OPTION', message: expect.stringContaining('revocation') }),
    );
  });
});

describe('stapled OCSP responses', () => {
  const stapled = (response: Uint8Array, mode: CertificatePolicyOptions = {}): string =>
    reasonOf(judge({ crls: [rootCrl], ...mode }, response));

  test.each(['sha1', 'sha256'] as const)('[CERT-14] of the issuer itself, naming the certificate by %s', (idHash) => {
    expect(judge({}, createOcspResponse(ca.intermediate, leaf, { status: 'revoked', idHash }))).toMatchObject({
      verified: false,
      reason: 'revoked',
      alert: 44,
    });
    expect(stapled(createOcspResponse(ca.intermediate, leaf, { idHash }), REQUIRE)).toBe('good');
    expect(stapled(createOcspResponse(ca.intermediate, leaf, { status: 'unknown', idHash }), REQUIRE)).toBe(
      'revocation-unknown',
    );
  });

  test('[CERT-14] of a responder that the issuer certified for it, and of no other', async () => {
    const responderOf = (extendedKeyUsage: 'ocspSigning' | 'serverAuth', notAfter?: Date) =>
      ca.issue({ commonName: 'Responder', extendedKeyUsage: [extendedKeyUsage], ...(notAfter && { notAfter }) });
    const say = (responder: Awaited<ReturnType<typeof responderOf>>): string =>
      stapled(createOcspResponse(ca.intermediate, leaf, { responder }), REQUIRE);
    expect(say(await responderOf('ocspSigning'))).toBe('good');
    expect(say(await responderOf('serverAuth'))).toBe('revocation-unknown');
    expect(say(await responderOf('ocspSigning', past))).toBe('revocation-unknown');
    const stranger = await ca.issue({ commonName: 'Responder', extendedKeyUsage: ['ocspSigning'], signer: ca.root });
    expect(say(stranger)).toBe('revocation-unknown');
    const namesake = await createTestCa();
    expect(say(await namesake.issue({ commonName: 'Responder', extendedKeyUsage: ['ocspSigning'] }))).toBe(
      'revocation-unknown',
    );
    const revoking = createOcspResponse(ca.intermediate, leaf, { responder: stranger, status: 'revoked' });
    expect(stapled(revoking)).toBe('good');
  });

  test('[CERT-14] out of date it still revokes, but clears nobody', () => {
    const old = { nextUpdate: past, thisUpdate: new Date(past.getTime() - 1000) };
    expect(stapled(createOcspResponse(ca.intermediate, leaf, { ...old, status: 'revoked' }))).toBe('revoked');
    expect(stapled(createOcspResponse(ca.intermediate, leaf, old), REQUIRE)).toBe('revocation-unknown');
    expect(stapled(createOcspResponse(ca.intermediate, leaf, { withoutNextUpdate: true }), REQUIRE)).toBe(
      'revocation-unknown',
    );
  });

  test('[CERT-14] about another certificate, of another issuer, or broken, it says nothing', async () => {
    const namesake = await createTestCa();
    const good = createOcspResponse(ca.intermediate, leaf);
    const says = (response: Uint8Array): string => stapled(response, REQUIRE);
    expect(says(createOcspResponse(ca.intermediate, other))).toBe('revocation-unknown');
    expect(says(createOcspResponse(namesake.intermediate, leaf))).toBe('revocation-unknown');
    expect(says(createOcspResponse(namesake.intermediate, leaf, { responder: ca.intermediate }))).toBe(
      'revocation-unknown',
    );
    expect(says(createOcspResponse(ca.intermediate, leaf, { hash: 'sha1' }))).toBe('revocation-unknown');
    expect(says(good)).toBe('good');
    for (let length = 0; length < good.length; length += 1) {
      expect(says(good.subarray(0, length)), `${length} octets`).toBe('revocation-unknown');
    }
    for (let index = 0; index < good.length; index += 1) {
      const changed = Uint8Array.from(good);
      changed[index] = (changed[index] ?? 0) ^ (1 << (index % 8));
      expect(['good', 'revocation-unknown'], `octet ${index}`).toContain(says(changed));
    }
  });

  test('[CERT-14] good from the responder does not outweigh revoked from a list', () => {
    const crls = [createCrl(ca.intermediate, { revoked: [leaf] })];
    expect(stapled(createOcspResponse(ca.intermediate, leaf), { crls })).toBe('revoked');
  });
});

const toPemCrl = (der: Uint8Array): string =>
  `-----BEGIN X509 CRL-----\n${Buffer.from(der).toString('base64')}\n-----END X509 CRL-----\n`;
