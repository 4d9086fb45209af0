import { createHash, X509Certificate } from 'node:crypto';
import { createTestCa, type TestHash, type TestKeyAlgorithm } from '@stanzaport/testing';
import { TLS_EXPORTER_BINDING, tlsServerEndPoint } from '@stanzaport/tls-shared';
import { describe, expect, test } from 'vitest';

describe('tls-server-end-point (RFC 5929 §4.1)', () => {
  test.each<[TestKeyAlgorithm, TestHash, 'pkcs1' | 'pss', string]>([
    ['p-256', 'sha256', 'pkcs1', 'sha256'],
    ['p-384', 'sha384', 'pkcs1', 'sha384'],
    ['p-521', 'sha512', 'pkcs1', 'sha512'],
    ['p-256', 'sha1', 'pkcs1', 'sha256'],
    ['rsa-2048', 'sha256', 'pkcs1', 'sha256'],
    ['rsa-2048', 'sha384', 'pkcs1', 'sha384'],
    ['rsa-2048', 'sha512', 'pkcs1', 'sha512'],
    ['rsa-2048', 'sha1', 'pkcs1', 'sha256'],
    ['rsa-2048', 'md5', 'pkcs1', 'sha256'],
    ['rsa-2048', 'sha1', 'pss', 'sha256'],
    ['rsa-2048', 'sha256', 'pss', 'sha256'],
    ['rsa-2048', 'sha384', 'pss', 'sha384'],
    ['rsa-2048', 'sha512', 'pss', 'sha512'],
  ])('[POL-08] signed by %s with %s (%s): %s of the certificate', async (keyAlgorithm, hash, rsaPadding, expected) => {
    const ca = await createTestCa({ keyAlgorithm });
    const { der } = await ca.issue({ dnsNames: ['a.example'], hash, rsaPadding });
    const digest = createHash(expected).update(der).digest();
    expect(tlsServerEndPoint(der)).toEqual(digest);
    if (expected === 'sha256') {
      expect(digest.toString('hex').toUpperCase()).toBe(new X509Certificate(der).fingerprint256.replaceAll(':', ''));
    }
  });

  test('[POL-08] it is the algorithm of the signature that counts, not that of the key', async () => {
    const ca = await createTestCa({ keyAlgorithm: 'p-384' });
    const { der } = await ca.issue({ hash: 'sha384', keyAlgorithm: 'ed25519' });
    expect(tlsServerEndPoint(der)).toHaveLength(48);
  });

  test('[POL-08] it is not defined for Ed25519, and for what is no certificate', async () => {
    const { der } = await (await createTestCa({ keyAlgorithm: 'ed25519' })).issue();
    expect(tlsServerEndPoint(der)).toBe(null);
    expect(tlsServerEndPoint(new Uint8Array())).toBe(null);
  });
});

test('[POL-07] tls-exporter has the label and length of RFC 9266', () => {
  expect(TLS_EXPORTER_BINDING).toEqual({ label: 'EXPORTER-Channel-Binding', bytes: 32 });
});
