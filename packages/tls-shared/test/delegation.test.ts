import type { Delegation, PeerVerdict } from '@stanzaport/core';
import { createTestCa, delegatedName, fingerprintOf, pinOf } from '@stanzaport/testing';
import { CertificatePolicy } from '@stanzaport/tls-shared';
import { describe, expect, test } from 'vitest';
import { recordingLogger } from './tools/recording-logger.ts';

const ca = await createTestCa();
const policy = new CertificatePolicy({ trust: [ca.rootPem] });
const strict = new CertificatePolicy({ trust: [ca.rootPem], pinMode: 'required' });
const QUESTION = { domain: 'a.example', purpose: 's2s-server' } as const;
const own = await ca.issue({ dnsNames: ['a.example'] });
const selfSigned = await ca.issue({ signer: 'self', commonName: 'Anything' });

describe('what a domain said of a link', () => {
  test('[CERT-16] the verdict is about the domain itself, and tells by which name', async () => {
    const { chainDer } = await ca.issue({ dnsNames: ['*.x.example'] });
    const question = { ...QUESTION, delegations: [delegatedName('im.X.example')] };
    expect(policy.verifyPeer(chainDer, question)).toMatchObject({
      verified: true,
      domain: 'a.example',
      matched: 'delegated:dns:*.x.example',
    });
  });

  test('[CERT-16] a name of our own goes first, and nothing is remembered from one question to the next', async () => {
    const { chainDer } = await ca.issue({ dnsNames: ['x.example', 'a.example'] });
    const question = { ...QUESTION, delegations: [delegatedName('x.example')] };
    expect(policy.verifyPeer(chainDer, question)).toMatchObject({ matched: 'dns:a.example' });
    const hoster = await ca.issue({ dnsNames: ['x.example'] });
    expect(policy.verifyPeer(hoster.chainDer, question).verified).toBe(true);
    expect(reasonOf(policy.verifyPeer(hoster.chainDer, QUESTION))).toBe('name-mismatch');
    expect(reasonOf(policy.verifyPeer(hoster.chainDer, { ...question, domain: 'b.example', delegations: [] }))).toBe(
      'name-mismatch',
    );
  });

  test.each([
    ['fingerprint:sha-256', fingerprintOf(selfSigned)],
    ['fingerprint:sha-512', fingerprintOf(selfSigned, 'sha-512')],
    ['pin:sha-256', pinOf(selfSigned)],
  ])('[CERT-17] [CERT-18] %s is what matched, until the certificate itself ends', (matched, delegation) => {
    const verdict = policy.verifyPeer(selfSigned.chainDer, { ...QUESTION, delegations: [delegation] });
    expect(verdict).toMatchObject({ verified: true, domain: 'a.example', matched });
    const { expiresAtMs } = verdict as Extract<PeerVerdict, { verified: true }>;
    const question = { ...QUESTION, delegations: [{ ...delegation, validUntilMs: expiresAtMs + 10_000 }] };
    expect(policy.verifyPeer(selfSigned.chainDer, question, expiresAtMs).verified).toBe(true);
    expect(reasonOf(policy.verifyPeer(selfSigned.chainDer, question, expiresAtMs + 1))).toBe('expired');
  });

  test('[CERT-18] what cannot be decoded is ignored with a warning, which repeats nothing of it', () => {
    const { logger, records } = recordingLogger();
    const warning = new CertificatePolicy({ trust: [ca.rootPem] }, logger);
    const bad = [
      { ...pinOf(own), sha256: 'forged!' },
      { ...pinOf(own), sha256: 'AAAA' },
      delegatedName('not a name'),
      delegatedName('192.0.2.1'),
    ] as readonly Delegation[];
    expect(warning.verifyPeer(own.chainDer, { ...QUESTION, delegations: bad }).verified).toBe(true);
    expect(records).toEqual([
      { level: 'warn', fields: { domain: 'a.example', count: 4 }, message: expect.any(String) },
    ]);
    expect(JSON.stringify(records)).not.toMatch(/forged|not a name/);
    expect(warning.verifyPeer(own.chainDer, { ...QUESTION, delegations: [pinOf(own)] }).verified).toBe(true);
    expect(records).toHaveLength(1);
  });
});

describe('pinMode required', () => {
  const judge = (chainDer: readonly Uint8Array[], delegations: readonly Delegation[]): string =>
    reasonOf(strict.verifyPeer(chainDer, { ...QUESTION, delegations }));

  test('[CERT-18] a path, a name and a pinned key of that path are demanded together', async () => {
    expect(judge(own.chainDer, [pinOf(own)])).toBe('good');
    expect(judge(own.chainDer, [pinOf(ca.intermediate)])).toBe('good');
    expect(judge(own.chainDer, [pinOf({ der: ca.rootDer })])).toBe('good');
    expect(judge(own.chainDer, [pinOf(selfSigned)])).toBe('pin');
    expect(judge(own.chainDer, [])).toBe('pin');
    expect(judge(own.chainDer, [fingerprintOf(own)])).toBe('pin');
    expect(judge(selfSigned.chainDer, [pinOf(selfSigned)])).toBe('unknown-ca');
    expect(judge(selfSigned.chainDer, [fingerprintOf(selfSigned), pinOf(selfSigned)])).toBe('unknown-ca');
    const other = await ca.issue({ dnsNames: ['b.example'] });
    expect(judge(other.chainDer, [pinOf(other)])).toBe('name-mismatch');
    expect(judge([...own.chainDer, selfSigned.der], [pinOf(selfSigned)])).toBe('pin');
    expect(judge(other.chainDer, [delegatedName('b.example'), pinOf(other)])).toBe('good');
    expect(judge(other.chainDer, [delegatedName('b.example')])).toBe('pin');
  });

  test('[CERT-18] it says bad_certificate to the peer, and asks nothing of clients', async () => {
    expect(strict.verifyPeer(own.chainDer, QUESTION)).toMatchObject({ reason: 'pin', alert: 42 });
    const { chainDer } = await ca.issue({ xmppAddrs: ['u@a.example'] });
    const question = { domain: 'a.example', purpose: 'c2s-client', jid: 'u@a.example' } as const;
    expect(strict.verifyPeer(chainDer, question).verified).toBe(true);
  });

  test('[CERT-24] a value that is none is a config error', () => {
    expect(() => new CertificatePolicy({ trust: [ca.rootPem], pinMode: 'always' as 'required' })).toThrow(
      expect.objectContaining({ code: 'XMPP_BAD_OPTION', message: expect.stringContaining('pinMode') }),
    );
  });
});

describe('several questions to one chain', () => {
  test('[Q-20] [CERT-19] [CERT-21] each domain is proved on its own, and one that is not changes nothing', async () => {
    const { chainDer } = await ca.issue({
      dnsNames: ['a.example', '*.muc.example'],
      srvNames: ['_xmpp-server.b.example', '_xmpp-client.d.example'],
      xmppAddrs: ['e.example', 'u@a.example'],
    });
    const proves = (domain: string): boolean => policy.verifyPeer(chainDer, { domain, purpose: 's2s-client' }).verified;
    const domains = ['a.example', 'c.example', 'b.example', 'd.example', 'e.example', 'x.muc.example', 'muc.example'];
    const expected = [true, false, true, false, true, true, false];
    expect(domains.map(proves)).toEqual(expected);
    expect(domains.map(proves)).toEqual(expected);
    const asClient = { domain: 'a.example', purpose: 'c2s-client', jid: 'u@a.example' } as const;
    expect(policy.verifyPeer(chainDer, asClient)).toMatchObject({ verified: true, matched: 'xmpp:u@a.example' });
  });
});

const reasonOf = (verdict: PeerVerdict): string => (verdict.verified ? 'good' : verdict.reason);
