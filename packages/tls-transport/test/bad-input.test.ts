import { createSecureContext, TLSSocket } from 'node:tls';
import { type CertificateError, type CertificateReason, type Logger, silentLogger } from '@stanzaport/core';
import { createTestCa, type IssueOptions, type TestCa, type TestCredential } from '@stanzaport/testing';
import { firstValueFrom } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { proceed, startTls } from './tools/clear-text.ts';
import { connectRaw, readToEnd, secureRaw } from './tools/raw-tls.ts';
import { serve } from './tools/scripted-server.ts';
import { alertFor } from './tools/secured.ts';
import { createTransport, DOMAIN, OTHER_DOMAIN, testCa } from './tools/transports.ts';

type Fault = readonly [
  name: string,
  issue: (ca: TestCa, domain: string) => Promise<TestCredential>,
  reason: CertificateReason,
  alert: number,
];

/** CA options, and the leaf under it. */
const under = async (ca: TestCa, options: IssueOptions, leaf: IssueOptions): Promise<TestCredential> =>
  ca.issue({ ...leaf, signer: await ca.issue({ commonName: 'Sub CA', ca: true, signer: ca.root, ...options }) });
const named = (...dnsNames: string[]): IssueOptions => ({ dnsNames });
/** permittedSubtrees with the dNSName c.example (RFC 5280 §4.2.1.10). */
const ELSEWHERE = Buffer.from('300fa00d300b8209632e6578616d706c65', 'hex');

/** What a certificate can be wrong by, the reason that is told, and the alert that says it (RFC 8446 §6.2). */
const FAULTS: readonly Fault[] = [
  ['expired', (ca, domain) => ca.issueBad('expired', domain), 'expired', 45],
  ['not yet valid', (ca, domain) => ca.issueBad('not-yet-valid', domain), 'not-yet-valid', 42],
  ['for another domain', (ca) => ca.issueBad('wrong-host', ''), 'name-mismatch', 42],
  ['a common name alone', (ca, domain) => ca.issueBad('common-name-only', domain), 'name-mismatch', 42],
  ['self-signed', (ca, domain) => ca.issueBad('self-signed', domain), 'unknown-ca', 48],
  ['of an unknown CA', (ca, domain) => ca.issueBad('unknown-ca', domain), 'unknown-ca', 48],
  [
    'of an unknown CA with the names of a known one',
    async (_, domain) => (await createTestCa()).issue(named(domain)),
    'unknown-ca',
    48,
  ],
  ['missing its intermediate', (ca, domain) => ca.issueBad('no-intermediate', domain), 'unknown-ca', 48],
  [
    'under what is no CA',
    (ca, domain) => under(ca, { ca: false, keyUsage: ['digitalSignature', 'keyCertSign'] }, named(domain)),
    'not-a-ca',
    48,
  ],
  [
    'under a CA for other names',
    (ca, domain) => under(ca, { extensions: [{ oid: '2.5.29.30', critical: true, value: ELSEWHERE }] }, named(domain)),
    'name-constraint',
    42,
  ],
  [
    'one intermediate too many',
    async (ca, domain) => ca.issue({ ...named(domain), signer: await ca.issue({ commonName: 'Lower CA', ca: true }) }),
    'path-length',
    48,
  ],
  [
    'signed with SHA-1',
    (ca, domain) => under(ca, { keyAlgorithm: 'rsa-2048' }, { ...named(domain), hash: 'sha1' }),
    'weak',
    42,
  ],
  ['under a CA signed with SHA-1', (ca, domain) => under(ca, { hash: 'sha1' }, named(domain)), 'weak', 42],
  ['under a CA with 1,024 bits', (ca, domain) => under(ca, { keyAlgorithm: 'rsa-1024' }, named(domain)), 'weak', 42],
  ['with a NUL in its name', (ca, domain) => ca.issue(named(`${domain}\0.evil.example`)), 'name-mismatch', 42],
  ['with a wildcard for its own domain', (ca, domain) => ca.issue(named(`*.${domain}`)), 'name-mismatch', 42],
  [
    'with a wildcard within a label',
    (ca, domain) => ca.issue(named(`${domain[0]}*${domain.slice(1)}`)),
    'name-mismatch',
    42,
  ],
  ['with a wildcard for everything', (ca) => ca.issue(named('*', '*.*', 'capulet.*')), 'name-mismatch', 42],
  [
    'with an extension that is critical and unknown',
    (ca, domain) =>
      ca.issue({ ...named(domain), extensions: [{ oid: '1.2.3.4', critical: true, value: Uint8Array.of(5, 0) }] }),
    'unknown-critical-extension',
    43,
  ],
];

/** So that the stack presents what no stack should. */
const ANYTHING = { ciphers: 'DEFAULT@SECLEVEL=0' } as const;

describe.each(['direct-tls', 'starttls'] as const)('bad certificates over %s', async (upgrade) => {
  const ca = await testCa();

  test.each(FAULTS)('[CERT-01] [Q-23] a server, %s', async (_name, issue, reason, alert) => {
    const { chainPem: cert, keyPem: key } = await issue(ca, DOMAIN);
    const secureContext = createSecureContext({ cert, key, ...ANYTHING });
    let heard: Promise<string> = Promise.resolve('');
    await using server = await serve(async (tcp) => {
      if (upgrade === 'starttls') await proceed(tcp);
      const tls = new TLSSocket(tcp, { isServer: true, secureContext });
      tls.on('error', () => undefined);
      heard = readToEnd(tls);
    });
    const { transport } = await createTransport({ upgrade, domains: [] });
    const target = { kind: 'c2s', domain: DOMAIN, host: '127.0.0.1', port: server.port } as const;
    const error: CertificateError = await transport.connect(target).then(
      () => Promise.reject(new Error('it has connected')),
      (refused: CertificateError) => refused,
    );
    const told = { code: 'XMPP_CERTIFICATE_REFUSED', category: 'certificate', reason, alert, domain: DOMAIN };
    expect(error).toMatchObject(told);
    expect(error.message).toMatch(/^the certificate of capulet\.example \(127\.0\.0\.1 port \d+\) was refused: ./);
    // Not a byte of XMPP, which would have been inside TLS.
    expect(await heard).toBe('');
  });

  test.each(FAULTS)('[CERT-19] [CERT-21] a server that connects, %s', async (_name, issue, reason, alert) => {
    const { chainPem: cert, keyPem: key } = await issue(ca, OTHER_DOMAIN);
    const { transport } = await createTransport({ upgrade });
    await using listener = await transport.listen({ host: '127.0.0.1', port: 0, kinds: ['s2s'] });
    const accepted = firstValueFrom(listener.connections$);
    const tcp = await connectRaw(listener.address.port);
    if (upgrade === 'starttls') await startTls(tcp, 's2s');
    await secureRaw(tcp, { servername: DOMAIN, cert, key, ...ANYTHING });
    const connection = await accepted;
    const verdict = connection.security.verify({ domain: OTHER_DOMAIN, purpose: 's2s-client' });
    expect(verdict).toMatchObject({ verified: false, domain: OTHER_DOMAIN, reason, alert, detail: expect.any(String) });
    connection.abort();
  });
});

describe.each(['direct-tls', 'starttls'] as const)('what is logged of a handshake over %s', (upgrade) => {
  interface Failure {
    readonly remote: string;
    readonly code: string;
    readonly reason: string;
  }

  /** What the listener logs of one handshake that fails, and the alert that it sends. */
  async function failureOf(options: Parameters<typeof alertFor>[1]): Promise<[Failure | undefined, number | null]> {
    const failures: Failure[] = [];
    const logger: Logger = {
      ...silentLogger,
      debug: (fields: object | string, message?: string) => {
        if (message === 'a handshake failed') failures.push(fields as Failure);
      },
      child: () => logger,
    };
    const { transport } = await createTransport({ upgrade, logger });
    await using listener = await transport.listen({ host: '127.0.0.1', port: 0 });
    const alert = await alertFor(listener, options);
    await listener.close();
    return [failures[0], alert];
  }

  test.each([
    [
      'TLS below 1.2',
      { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' },
      70,
      /UNSUPPORTED_PROTOCOL|VERSION/,
    ],
    ['a name that is not served', { servername: 'verona.example' }, 112, /asked for "verona\.example"/],
    ['another protocol', { ALPNProtocols: ['h2'] }, 120, /offered no protocol of XMPP/],
    ['no suite in common', { maxVersion: 'TLSv1.2', ciphers: 'AES128-GCM-SHA256' }, 40, /NO_SHARED_CIPHER/],
  ] as const)('[TC-09] %s: the reason, and the alert to the peer', async (_title, options, alert, reason) => {
    const [failure, told] = await failureOf(options);
    expect(told).toBe(alert);
    expect(failure).toMatchObject({ remote: '127.0.0.1', code: expect.stringMatching(/^XMPP_/) });
    expect(failure?.reason).toMatch(reason);
  });

  // STARTTLS takes the `to` of the stream header instead (RFC 7590 §3.5).
  if (upgrade === 'starttls') return;
  test.each(['TLSv1.2', 'TLSv1.3'] as const)('[CERT-25] [TC-09] no server name, %s', async (maxVersion) => {
    const [failure, told] = await failureOf({ servername: '', maxVersion });
    expect(told).toBe(40);
    expect(failure?.reason).toMatch(/sent no server name, and there is no default$/);
  });
});
