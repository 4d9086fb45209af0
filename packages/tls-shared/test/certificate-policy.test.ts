import type { IdentityQuestion, PeerVerdict } from '@stanzaport/core';
import { addressVectors, certificateVectors, createTestCa, delegationVectors } from '@stanzaport/testing';
import { CertificatePolicy } from '@stanzaport/tls-shared';
import { describe, expect, test } from 'vitest';
import { recordingLogger } from './tools/recording-logger.ts';

const ca = await createTestCa();
const policy = new CertificatePolicy({ trust: [ca.rootPem] });
const QUESTION = { domain: 'a.example', purpose: 's2s-server' } as const;

/** CERT-01: the alerts a peer may get for its certificate. */
const CERTIFICATE_ALERTS: readonly number[] = [42, 43, 44, 45, 46, 48];

describe('vectors of group D', async () => {
  const vectors = [...(await certificateVectors(ca)), ...(await delegationVectors(ca)), ...(await addressVectors(ca))];
  for (const { requirement, name, credential, question, expected } of vectors) {
    test(`[${requirement}] ${question.purpose}, ${name}: ${expected}`, () => {
      const verdict = policy.verifyPeer(credential.chainDer, question);
      expect(reasonOf(verdict)).toBe(expected);
      if (!verdict.verified) expect(CERTIFICATE_ALERTS).toContain(verdict.alert);
    });
  }
});

describe('verdict', () => {
  test('[CERT-01] a good one tells the normal domain, what matched, and when the leaf ends', async () => {
    const notAfter = new Date(wholeSeconds(Date.now() + 60_000));
    const { chainDer } = await ca.issue({ dnsNames: ['b.example', '*.bücher.example', '*.A.example'], notAfter });
    expect(policy.verifyPeer(chainDer, { ...QUESTION, domain: 'X.a.example.' })).toEqual({
      verified: true,
      domain: 'x.a.example',
      matched: 'dns:*.a.example',
      expiresAtMs: notAfter.getTime(),
    });
  });

  test('[CERT-01] a path ends when the first of its certificates ends', async () => {
    const notAfter = new Date(wholeSeconds(Date.now() + 60_000));
    const signer = await ca.issue({ commonName: 'Short CA', ca: true, signer: ca.root, notAfter });
    const { chainDer } = await ca.issue({ srvNames: ['_xmpp-server.a.example'], signer });
    expect(policy.verifyPeer(chainDer, QUESTION)).toMatchObject({
      matched: 'srv:_xmpp-server.a.example',
      expiresAtMs: notAfter.getTime(),
    });
  });

  test('[CERT-01] a refusal tells domain, reason, alert and a sentence', async () => {
    const { chainDer } = await ca.issueBad('expired', 'a.example');
    expect(policy.verifyPeer(chainDer, { ...QUESTION, domain: 'bücher.example' })).toEqual({
      verified: false,
      domain: 'xn--bcher-kva.example',
      reason: 'expired',
      alert: 45,
      detail: expect.stringContaining('ended'),
    });
  });

  test.each([
    ['c2s-server', 42],
    ['s2s-server', 42],
    ['s2s-client', 116],
    ['c2s-client', 116],
  ] as const)('[CERT-01] a %s without a certificate is refused with alert %i', (purpose, alert) => {
    const question = purpose === 'c2s-client' ? { domain: 'a.example', purpose, jid: null } : { ...QUESTION, purpose };
    const verdict = policy.verifyPeer([], question);
    expect(verdict).toMatchObject({ verified: false, reason: 'absent', alert });
  });

  test('[CERT-09] validity begins and ends with the second named', async () => {
    const notBefore = new Date(wholeSeconds(Date.now() + 1_000_000));
    const notAfter = new Date(notBefore.getTime() + 10_000);
    const { chainDer } = await ca.issue({ dnsNames: ['a.example'], notBefore, notAfter });
    const at = (nowMs: number): string => reasonOf(policy.verifyPeer(chainDer, QUESTION, nowMs));
    expect(at(notBefore.getTime() - 1)).toBe('not-yet-valid');
    expect(at(notBefore.getTime())).toBe('good');
    expect(at(notAfter.getTime())).toBe('good');
    expect(at(notAfter.getTime() + 1)).toBe('expired');
  });

  test('[CERT-08] no changed bit of a leaf passes, and none breaks the check', async () => {
    const { der, chainDer } = await ca.issue({ dnsNames: ['a.example'], xmppAddrs: ['a.example'] });
    for (let index = 0; index < der.length; index += 1) {
      const changed = Uint8Array.from(der);
      changed[index] = (changed[index] ?? 0) ^ (1 << (index % 8));
      const reason = reasonOf(policy.verifyPeer([changed, ...chainDer.slice(1)], QUESTION));
      expect(['good', 'internal'], `octet ${index}`).not.toContain(reason);
    }
  });

  test('[CERT-08] no leaf that is cut off passes, and none breaks the check', async () => {
    const { der, chainDer } = await ca.issue({ dnsNames: ['a.example'] });
    for (let length = 0; length < der.length; length += 1) {
      const reason = reasonOf(policy.verifyPeer([der.subarray(0, length), ...chainDer.slice(1)], QUESTION));
      expect(reason, `${length} octets`).toBe('encoding');
    }
  });

  test.each([
    ['two different signature algorithms', '300a06082a8648ce3d0403023', '300a06082a8648ce3d0403033'],
    ['an extension twice', '06032a0304', '06032a0305'],
    ['version 2 with extensions', 'a003020102', 'a003020101'],
    ['version 4', 'a003020102', 'a003020103'],
    ['a BOOLEAN of BER', '0101ff', '010101'],
  ])('[CERT-08] %s is an encoding error', async (_, found, replacement) => {
    const value = Uint8Array.of(5, 0);
    const extensions = [
      { oid: '1.2.3.4', value },
      { oid: '1.2.3.5', value },
    ];
    const { der, chainDer } = await ca.issue({ dnsNames: ['a.example'], extensions });
    const bytes = Buffer.from(der).toString('hex');
    expect(bytes).toContain(found);
    const changed = Buffer.from(bytes.replace(found, replacement), 'hex');
    expect(reasonOf(policy.verifyPeer([changed, ...chainDer.slice(1)], QUESTION))).toBe('encoding');
  });

  test('[CERT-01] a check that throws refuses', () => {
    const hostile = Object.defineProperty([], 0, {
      get: () => {
        throw new Error('not to be had');
      },
    });
    expect(reasonOf(policy.verifyPeer(hostile, QUESTION))).toBe('internal');
  });

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['no purpose', { domain: 'a.example' }],
    ['a purpose that is none', { domain: 'a.example', purpose: 'server' }],
    ['a purpose that every object has', { domain: 'a.example', purpose: 'toString' }],
    ['no domain', { purpose: 's2s-server' }],
    ['a domain that is no text', { domain: { toString: () => 'a.example' }, purpose: 's2s-server' }],
    ['a client without the field for its address', { domain: 'a.example', purpose: 'c2s-client' }],
    ['delegations that are no list', { ...QUESTION, domain: 'b.example', delegations: 7 }],
    ['a delegation that is nothing', { ...QUESTION, domain: 'b.example', delegations: [null] }],
    [
      'a delegation of no known form',
      { ...QUESTION, domain: 'b.example', delegations: [{ form: 'x', validUntilMs: 1e15 }] },
    ],
    [
      'a delegation with nothing in it',
      { ...QUESTION, domain: 'b.example', delegations: [{ form: 'name', validUntilMs: 1e15 }] },
    ],
  ])('[CERT-01] a question of %s is refused, and nothing is thrown', async (_, question) => {
    const { chainDer } = await ca.issue({ dnsNames: ['a.example'], xmppAddrs: ['u@a.example'] });
    const verdict = policy.verifyPeer(chainDer, question as IdentityQuestion);
    expect(verdict).toMatchObject({ verified: false, domain: expect.any(String), alert: expect.any(Number) });
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    '[CERT-01] at the time %d nothing is valid',
    async (nowMs) => {
      const { chainDer } = await ca.issue({ dnsNames: ['a.example'] });
      expect(policy.verifyPeer(chainDer, QUESTION).verified).toBe(true);
      expect(['expired', 'not-yet-valid']).toContain(reasonOf(policy.verifyPeer(chainDer, QUESTION, nowMs)));
      expect(policy.verifyPeer(chainDer, QUESTION, { nowMs }).verified).toBe(false);
    },
  );

  test('[CERT-01] a chain that is no list of bytes is refused', () => {
    for (const chain of [undefined, null, 'chain', [null], [{}], [[]]]) {
      expect(policy.verifyPeer(chain as unknown as Uint8Array[], QUESTION).verified).toBe(false);
    }
  });

  test('[CERT-01] what is written to a log holds nothing that the peer wrote', async () => {
    const MARK = 'forged-log-line';
    const dnsNames = [`${MARK}.example`];
    const faults = [
      await ca.issue({ dnsNames, commonName: MARK }),
      await ca.issue({ dnsNames, signer: 'self' }),
      await ca.issueBad('expired', `${MARK}.example`),
    ];
    for (const { chainDer } of faults) {
      expect(JSON.stringify(policy.verifyPeer(chainDer, QUESTION))).not.toContain(MARK);
    }
  });
});

describe('dangerAcceptAnyCertificate', () => {
  test('[CERT-01] it accepts what must be refused, says so once, and is listed', async () => {
    const { logger, records } = recordingLogger();
    const open = new CertificatePolicy({ dangerAcceptAnyCertificate: true }, logger);
    expect(open.dangers).toEqual(['dangerAcceptAnyCertificate']);
    for (const fault of ['expired', 'wrong-host', 'self-signed'] as const) {
      const { chainDer } = await ca.issueBad(fault, 'a.example');
      expect(open.verifyPeer(chainDer, QUESTION)).toMatchObject({ verified: true, matched: 'any' });
    }
    expect(open.verifyPeer([Uint8Array.of(1)], QUESTION).verified).toBe(true);
    expect(reasonOf(open.verifyPeer([], QUESTION))).toBe('absent');
    expect(records).toEqual([{ level: 'warn', fields: { dangers: open.dangers }, message: expect.any(String) }]);
  });

  test('[CERT-01] without it there is no danger and no warning', () => {
    const { logger, records } = recordingLogger();
    const strict = new CertificatePolicy({ trust: [ca.rootPem], dangerAcceptAnyCertificate: false }, logger);
    expect(strict.dangers).toEqual([]);
    expect(records).toEqual([]);
  });
});

const reasonOf = (verdict: PeerVerdict): string => (verdict.verified ? 'good' : verdict.reason);
const wholeSeconds = (milliseconds: number): number => Math.floor(milliseconds / 1000) * 1000;
