import { createTestCa } from '@stanzaport/testing';
import {
  admitPeer,
  CertificatePolicy,
  CLIENT_CERTIFICATE_RULES,
  type ClientCertificateRule,
} from '@stanzaport/tls-shared';
import { expect, test } from 'vitest';

const ca = await createTestCa();
const policy = new CertificatePolicy({ trust: [ca.rootPem] });
const QUESTION = { domain: 'a.example', purpose: 's2s-client' } as const;
const verdicts = {
  good: policy.verifyPeer((await ca.issue({ dnsNames: ['a.example'] })).chainDer, QUESTION),
  'self-signed': policy.verifyPeer((await ca.issueBad('self-signed', 'a.example')).chainDer, QUESTION),
  absent: policy.verifyPeer([], QUESTION),
  'not claimed': null,
};

const REFUSED = { admitted: false, error: { condition: 'not-authorized' } };
const UNAUTHENTICATED = { admitted: true, authenticated: false };
const AUTHENTICATED = { admitted: true, authenticated: true };

test.each<[ClientCertificateRule, keyof typeof verdicts, object]>([
  ['required', 'good', AUTHENTICATED],
  ['required', 'self-signed', REFUSED],
  ['required', 'absent', REFUSED],
  ['required', 'not claimed', REFUSED],
  ['requested', 'good', AUTHENTICATED],
  ['requested', 'self-signed', UNAUTHENTICATED],
  ['requested', 'absent', UNAUTHENTICATED],
  ['requested', 'not claimed', UNAUTHENTICATED],
  ['none', 'good', UNAUTHENTICATED],
  ['none', 'self-signed', UNAUTHENTICATED],
  ['none', 'absent', UNAUTHENTICATED],
])('[CERT-19] [CERT-20] certificate %s, verdict %s', (rule, verdict, expected) => {
  expect(admitPeer(rule, verdicts[verdict])).toMatchObject(expected);
});

test('[CERT-20] the stack asks for a certificate unless the rule is none', () => {
  const asks = Object.entries(CLIENT_CERTIFICATE_RULES).map(([rule, { asks: does }]) => [rule, does]);
  expect(Object.fromEntries(asks)).toEqual({ required: true, requested: true, none: false });
});

test('[CERT-20] a rule that is none never admits', () => {
  expect(() => admitPeer('always' as 'none', verdicts.good)).toThrow(TypeError);
});
