import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:tls';
import { type CertificateVector, certificateVectors, createTestCa } from '@stanzaport/testing';
import { describe, expect, test } from 'vitest';

/**
 * Where we and OpenSSL part: it knows no constraints on SRVNames, takes a CA for a server, does not hold other names
 * to constraints on dNSNames, ignores constraints without content or with odd masks, compares excluded directory
 * names, processes policies, and sets other bounds.
 */
const DIFFERENT: ReadonlySet<string> = new Set([
  'permitted SRVName',
  'permitted service',
  'CA as leaf',
  'SRVName outside permitted dNSNames',
  'XmppAddr outside permitted dNSNames',
  'excluded parent with a dot',
  'wildcard that takes in an excluded name',
  'dNSName that cannot be judged',
  'name constraints without a subtree',
  'critical policy constraints',
  'excluded directory name',
  'network with a mask that is no prefix',
  'CA key rsa-1024, signing with sha256',
  'eleven certificates',
]);

const ca = await createTestCa();

/** Node.js reads names by rules of its own, so that only paths are compared. */
const vectors = (await certificateVectors(ca)).filter(
  ({ requirement, name, question, servable }) =>
    requirement >= 'CERT-09' && question.purpose !== 's2s-client' && servable && !DIFFERENT.has(name),
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

/** A real handshake on the loopback, and what OpenSSL has to say about the server. */
async function isAuthorized({ credential, question }: CertificateVector): Promise<boolean> {
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
