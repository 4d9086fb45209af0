import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:tls';
import {
  type CertificateVector,
  type CrlOptions,
  certificateVectors,
  createCrl,
  createTestCa,
} from '@stanzaport/testing';
import { CertificatePolicy } from '@stanzaport/tls-shared';
import { describe, expect, test } from 'vitest';

/**
 * Where we and OpenSSL part: it knows no constraints on SRVNames, takes a CA for a server and a CA without a name, does not
 * hold other names to constraints on dNSNames, ignores constraints without content or with odd masks, and what of a
 * constraint on directory names, e-mail addresses and URIs it cannot read, does not look at certificate policies unless it
 * is told to, and sets other bounds.
 */
const DIFFERENT: ReadonlySet<string> = new Set([
  'permitted SRVName',
  'permitted service',
  'CA as leaf',
  'intermediate without a name',
  'SRVName outside permitted dNSNames',
  'XmppAddr outside permitted dNSNames',
  'excluded parent with a dot',
  'wildcard that takes in an excluded name',
  'dNSName that cannot be judged',
  'name constraints without a subtree',
  'excluded directory name that cannot be compared',
  'excluded directory name of another alphabet',
  'e-mail address, that hides a second host',
  'e-mail address, a constraint that is none',
  'URI, its host permitted, with a user',
  'URI, with an IP address',
  'network with a mask that is no prefix',
  'CA key rsa-1024, signing with sha256',
  'eleven certificates',
]);

const ca = await createTestCa();

/** Node.js reads names by rules of its own, so that only paths are compared. */
const vectors = (await certificateVectors(ca)).filter(
  ({ requirement, name, question, expected, servable }) =>
    requirement >= 'CERT-09' &&
    question.purpose !== 's2s-client' &&
    servable &&
    expected !== 'certificate-policy' &&
    !DIFFERENT.has(name),
);

describe('node:tls as outside judge', () => {
  test('[CERT-09] there are vectors to judge', () => {
    expect(vectors.length).toBeGreaterThan(50);
  });

  for (const vector of vectors) {
    test(`[${vector.requirement}] ${vector.name}: ${vector.expected}`, async () => {
      expect(await isAuthorized(vector)).toBe(vector.expected === 'good');
    });
  }
});

describe('node:tls as outside judge of revocation, which it requires where it has any list', async () => {
  const leaf = await ca.issue({ dnsNames: ['a.example'] });
  const other = await ca.issue({ dnsNames: ['b.example'] });
  const forger = await ca.issue({ ca: true, signer: 'self' });
  const past = new Date(Date.now() - 60_000);
  const question = { domain: 'a.example', purpose: 'c2s-server' } as const;
  const ofRoot = createCrl(ca.root);
  const list = (options: CrlOptions = {}): Uint8Array => createCrl(ca.intermediate, options);

  test.each<[string, readonly Uint8Array[], boolean]>([
    ['nobody on the lists', [ofRoot, list()], true],
    ['another certificate on the list', [ofRoot, list({ revoked: [other] })], true],
    ['the leaf on the list', [ofRoot, list({ revoked: [other, leaf] })], false],
    ['the intermediate on the list', [createCrl(ca.root, { revoked: [ca.intermediate] }), list()], false],
    ['no list of the root', [list()], false],
    ['no list of the intermediate', [ofRoot], false],
    ['a list out of date', [ofRoot, list({ nextUpdate: past })], false],
    ['a list that another key signed', [ofRoot, list({ signedBy: forger })], false],
  ])('[CERT-14] %s', async (_, crls, expected) => {
    const policy = new CertificatePolicy({ trust: [ca.rootPem], crls, revocation: 'require' });
    expect(policy.verifyPeer(leaf.chainDer, question).verified).toBe(expected);
    const crl = crls.map((der) => `-----BEGIN X509 CRL-----\n${toLines(der)}\n-----END X509 CRL-----\n`);
    expect(await isAuthorized({ credential: leaf, question }, crl)).toBe(expected);
  });
});

const toLines = (der: Uint8Array): string => Buffer.from(der).toString('base64').replace(/.{64}/g, '$&\n');

/** A real handshake on the loopback, and what OpenSSL has to say about the server. */
async function isAuthorized(
  { credential, question }: Pick<CertificateVector, 'credential' | 'question'>,
  crl?: string[],
): Promise<boolean> {
  const server = createServer({ cert: credential.chainPem, key: credential.keyPem });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.on('secureConnection', (peer) => peer.resume());
  const socket = connect({
    port,
    host: '127.0.0.1',
    servername: question.domain,
    ca: ca.rootPem,
    ...(crl && { crl }),
    rejectUnauthorized: false,
  });
  await once(socket, 'secureConnect');
  const { authorized } = socket;
  socket.resume().end();
  await once(socket, 'close');
  server.close();
  await once(server, 'close');
  return authorized;
}
