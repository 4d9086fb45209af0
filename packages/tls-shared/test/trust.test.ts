import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TransportError } from '@stanzaport/core';
import { createTestCa, type TestCredential } from '@stanzaport/testing';
import { CertificatePolicy, type TrustSource } from '@stanzaport/tls-shared';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const ca = await createTestCa();
const leaf = await ca.issue({ dnsNames: ['a.example'] });
const rubbishPem = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
const QUESTION = { domain: 'a.example', purpose: 'c2s-server' } as const;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stanzaport-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('trust anchors', () => {
  test('[CERT-24] PEM, DER, bytes of PEM, and a file of several are all good', async () => {
    const file = join(folder, 'anchors.pem');
    const other = await createTestCa({ name: 'Other' });
    await writeFile(file, `Our anchors\n${other.rootPem}\nand\n${ca.rootPem}`);
    for (const source of [ca.rootPem, ca.rootDer, Buffer.from(ca.rootPem), file]) {
      expect(judge([source], leaf)).toBe('good');
    }
    expect(judge([other.rootPem], leaf)).toBe('unknown-ca');
    expect(judge([other.rootPem, ca.rootPem], leaf)).toBe('good');
  });

  test('[CERT-24] those of the system do not vouch for the test CA, unless it is added', () => {
    expect(judge('system', leaf)).toBe('unknown-ca');
    expect(judge(['system', ca.rootPem], leaf)).toBe('good');
  });

  test.each<[string, () => TrustSource[], string]>([
    ['no source', () => [], 'empty'],
    ['a file that is not there', () => [join(folder, 'absent.pem')], 'absent.pem'],
    ['PEM without a certificate', () => [ca.rootPem, leaf.keyPem], 'trust[1]'],
    ['PEM that holds rubbish', () => [rubbishPem], 'trust[0]'],
    ['bytes that are rubbish', () => [Uint8Array.of(0x30, 0x01)], 'trust[0]'],
    ['no bytes', () => [new Uint8Array()], 'trust[0]'],
  ])('[CERT-24] %s is a config error', (_, sources, place) => {
    const error = thrownBy(() => new CertificatePolicy({ trust: sources() }));
    expect(error.code).toBe('XMPP_BAD_TRUST_ANCHORS');
    expect(error.category).toBe('config');
    expect(error.message).toContain(place);
  });

  test('[CERT-24] they can be replaced; a bad new set leaves the old one in force', async () => {
    const other = await createTestCa({ name: 'Other' });
    const policy = new CertificatePolicy({ trust: [other.rootPem] });
    const reason = (): string => reasonOf(policy, leaf);
    expect(reason()).toBe('unknown-ca');
    policy.replaceTrust([ca.rootPem]);
    expect(reason()).toBe('good');
    expect(thrownBy(() => policy.replaceTrust([])).code).toBe('XMPP_BAD_TRUST_ANCHORS');
    expect(reason()).toBe('good');
  });

  test('[CERT-12] the signature of an anchor on itself is not looked at', async () => {
    const root = { commonName: 'Old Root', ca: true, signer: 'self', keyAlgorithm: 'rsa-2048', hash: 'sha1' } as const;
    const signer = await ca.issue(root);
    expect(judge([signer.der], await ca.issue({ dnsNames: ['a.example'], signer }))).toBe('good');
  });

  test('[CERT-09] an anchor that has ended, or is no CA, vouches for nobody', async () => {
    const ended = await ca.issue({ ca: true, signer: 'self', notBefore: new Date(0), notAfter: new Date(1_000) });
    expect(judge([ended.der], await ca.issue({ dnsNames: ['a.example'], signer: ended }))).toBe('expired');
    const selfSigned = await ca.issueBad('self-signed', 'a.example');
    expect(judge([selfSigned.der], selfSigned)).toBe('not-a-ca');
  });

  test('[CERT-09] a root of version 1, which cannot say that it is a CA, vouches as an anchor', async () => {
    const old = await ca.issue({ commonName: 'Old Root', signer: 'self', version: 1 });
    expect(judge([old.der], await ca.issue({ dnsNames: ['a.example'], signer: old }))).toBe('good');
  });

  test('[CERT-09] an intermediate can be the anchor', () => {
    expect(judge([ca.intermediate.der], leaf)).toBe('good');
    expect(judge([ca.intermediate.der], { ...leaf, chainDer: [leaf.der] })).toBe('good');
  });

  test('[CERT-09] of two anchors of one name each vouches for its own', async () => {
    const namesake = await createTestCa();
    const theirs = await namesake.issue({ dnsNames: ['a.example'] });
    const both = [namesake.rootPem, ca.rootPem];
    expect([judge(both, leaf), judge(both, theirs)]).toEqual(['good', 'good']);
  });
});

function judge(trust: 'system' | TrustSource[], credential: TestCredential): string {
  return reasonOf(new CertificatePolicy({ trust }), credential);
}

function reasonOf(policy: CertificatePolicy, { chainDer }: TestCredential): string {
  const verdict = policy.verifyPeer(chainDer, QUESTION);
  return verdict.verified ? 'good' : verdict.reason;
}

function thrownBy(action: () => unknown): TransportError {
  try {
    action();
  } catch (error) {
    if (error instanceof TransportError) return error;
    throw error;
  }
  throw new Error('Nothing was thrown');
}
