import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createTestCa, type IssueOptions, writePemFiles } from './certificates.ts';
import type { TestKeyAlgorithm } from './test-keys.ts';

const ALGORITHMS: readonly TestKeyAlgorithm[] = [
  'p-256',
  'p-384',
  'p-521',
  'ed25519',
  'rsa-2048',
  'rsa-1024',
  'dsa-1024',
  'p-224',
  'secp256k1',
  'ed448',
];

describe('test CA, judged by OpenSSL through node:crypto', () => {
  test('[CERT-09] a chain leads from the leaf over the intermediate to the root', async () => {
    const ca = await createTestCa();
    const credential = await ca.issue({ dnsNames: ['capulet.example'] });
    const [leaf, intermediate] = credential.chainDer.map((der) => new X509Certificate(der));
    const root = new X509Certificate(ca.rootPem);
    expect(credential.chainDer).toHaveLength(2);
    expect(leaf?.checkIssued(intermediate as X509Certificate)).toBe(true);
    expect(leaf?.verify((intermediate as X509Certificate).publicKey)).toBe(true);
    expect(intermediate?.checkIssued(root)).toBe(true);
    expect(intermediate?.verify(root.publicKey)).toBe(true);
    expect([leaf?.ca, intermediate?.ca, root.ca]).toEqual([false, true, true]);
    expect(leaf?.checkPrivateKey(credential.privateKey)).toBe(true);
    expect(Date.parse(root.validFrom)).toBeLessThan(Date.now());
  });

  test.each(ALGORITHMS)('[CERT-12] it signs for and with keys of %s', async (keyAlgorithm) => {
    const ca = await createTestCa({ keyAlgorithm });
    const leaf = await ca.issue({ dnsNames: ['capulet.example'], keyAlgorithm });
    expect(new X509Certificate(leaf.der).verify(new X509Certificate(ca.intermediate.der).publicKey)).toBe(true);
  });

  test('[CERT-04] every kind of name is where OpenSSL finds it', async () => {
    const ca = await createTestCa();
    const { der } = await ca.issue({
      dnsNames: ['*.capulet.example'],
      srvNames: ['_xmpp-server.capulet.example'],
      xmppAddrs: ['bücher.example'],
      ipAddresses: ['192.0.2.1', '2001:db8::1', '::'],
    });
    const names = new X509Certificate(der).subjectAltName;
    expect(names).toContain('DNS:*.capulet.example');
    expect(names).toContain('SRVName:_xmpp-server.capulet.example');
    expect(names).toContain('XmppAddr:bücher.example');
    expect(names).toContain('IP Address:192.0.2.1');
    expect(names).toContain('IP Address:2001:DB8:0:0:0:0:0:1');
    expect(names).toContain('IP Address:0:0:0:0:0:0:0:0');
  });

  test.each<[IssueOptions, readonly string[] | undefined]>([
    [{ extendedKeyUsage: ['serverAuth'] }, ['1.3.6.1.5.5.7.3.1']],
    [{ extendedKeyUsage: ['clientAuth', 'codeSigning'] }, ['1.3.6.1.5.5.7.3.2', '1.3.6.1.5.5.7.3.3']],
    [{ extendedKeyUsage: null }, undefined],
  ])('[CERT-11] extended key usage of %j', async (options, expected) => {
    const ca = await createTestCa();
    expect(new X509Certificate((await ca.issue(options)).der).keyUsage).toEqual(expected);
  });

  test.each(['2049-12-31T23:59:59Z', '2050-01-01T00:00:00Z'])('[CERT-09] valid until %s', async (end) => {
    const ca = await createTestCa();
    const { der } = await ca.issue({ notAfter: new Date(end) });
    expect(Date.parse(new X509Certificate(der).validTo)).toBe(Date.parse(end));
  });

  test('[CERT-24] PEM files hold the chain, and a key for the owner alone', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'stanzaport-'));
    try {
      const credential = await (await createTestCa()).issue({ dnsNames: ['capulet.example'] });
      const files = await writePemFiles(join(folder, 'deep'), 'capulet', credential);
      expect(await readFile(files.cert, 'utf8')).toBe(credential.chainPem);
      expect(await readFile(files.key, 'utf8')).toBe(credential.keyPem);
      expect((await stat(files.key)).mode & 0o077).toBe(0);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
