import type { AddressQuestion } from '@stanzaport/core';
import type { CertificateVector } from './certificate-vector.ts';
import { type IssueOptions, otherName, type TestCa } from './certificates.ts';
import { ia5String } from './der-writer.ts';
import { DOMAIN } from './vector-recipe.ts';

type AddressVector = CertificateVector<AddressQuestion>;
type Row = readonly [
  name: string,
  options: IssueOptions,
  jid: string | null,
  expected: AddressVector['expected'],
  requirement?: string,
];

const MISMATCH = 'name-mismatch';
const JULIET = 'juliet@a.example';

/**
 * Certificates of clients, which prove an account of `a.example` or do not (CERT-05, CERT-11, RFC 6120 §13.7.1.3), with
 * `ca.rootPem` as the only trust anchor.
 */
export async function addressVectors(ca: TestCa): Promise<readonly AddressVector[]> {
  const vectors: AddressVector[] = [];
  for (const [name, options, jid, expected, requirement = 'CERT-05'] of ROWS) {
    const credential = await ca.issue(options);
    const question = { domain: DOMAIN, purpose: 'c2s-client', jid } as const;
    vectors.push({ requirement, name, credential, question, expected, servable: true });
  }
  return vectors;
}

const xmpp = (...xmppAddrs: string[]): IssueOptions => ({ xmppAddrs });

const ROWS: readonly Row[] = [
  ['address', xmpp(JULIET), JULIET, 'good'],
  ['second of two addresses', xmpp('romeo@a.example', JULIET), JULIET, 'good'],
  ['address in other case', xmpp('Juliet@A.Example'), JULIET, 'good'],
  ['full-width address', xmpp('ｊuliet@a.example'), JULIET, 'good'],
  ['address in another normal form', xmpp('zoe\u0301@a.example'), 'zo\u00e9@a.example', 'good'],
  ['a resource of the account', xmpp(JULIET), `${JULIET}/balcony`, 'good'],
  ['that resource', xmpp(`${JULIET}/balcony`), `${JULIET}/balcony`, 'good'],
  ['another resource', xmpp(`${JULIET}/balcony`), `${JULIET}/chamber`, MISMATCH],
  ['resource in other case', xmpp(`${JULIET}/balcony`), `${JULIET}/Balcony`, MISMATCH],
  ['account, where the certificate names a resource', xmpp(`${JULIET}/balcony`), JULIET, MISMATCH],
  ['another account', xmpp('romeo@a.example'), JULIET, MISMATCH],
  ['account of another domain', xmpp('juliet@b.example'), JULIET, MISMATCH],
  ['account of another domain, asked for here', xmpp('juliet@b.example'), 'juliet@b.example', MISMATCH],
  ['domain alone', xmpp(DOMAIN), JULIET, MISMATCH],
  ['domain alone, asked for', xmpp(DOMAIN), DOMAIN, MISMATCH],
  ['wildcard as localpart', xmpp('*@a.example'), JULIET, MISMATCH],
  ['wildcard in the domain', xmpp('juliet@*.example'), JULIET, MISMATCH],
  ['empty localpart', xmpp('@a.example'), '@a.example', MISMATCH],
  ['empty resource', xmpp(`${JULIET}/`), JULIET, MISMATCH],
  ['dNSName of the domain', { dnsNames: [DOMAIN] }, JULIET, MISMATCH],
  ['SRVName of the domain', { srvNames: ['_xmpp-client.a.example'] }, JULIET, MISMATCH],
  ['common name alone', { commonName: JULIET }, JULIET, MISMATCH],
  ['e-mail address alone', { emailAddress: JULIET }, JULIET, MISMATCH],
  [
    'address of the wrong string type',
    { otherNames: [otherName('1.3.6.1.5.5.7.8.5', ia5String(JULIET))] },
    JULIET,
    MISMATCH,
    'CERT-08',
  ],
  ['NUL in an address', xmpp('juliet\0@a.example'), JULIET, MISMATCH, 'CERT-08'],
  ['NUL behind an address', xmpp(`${JULIET}\0.b.example`), JULIET, MISMATCH, 'CERT-08'],
  ['space in an address', xmpp('ju liet@a.example'), 'ju liet@a.example', MISMATCH, 'CERT-08'],
  ['invisible character in an address', xmpp('ju\u200dliet@a.example'), JULIET, MISMATCH, 'CERT-08'],
  ['ligature in an address', xmpp('ﬁnn@a.example'), 'finn@a.example', MISMATCH, 'CERT-08'],
  ['two at-signs', xmpp('juliet@b.example@a.example'), JULIET, MISMATCH, 'CERT-08'],
  ['no address asked for', { commonName: 'Juliet' }, null, 'good', 'CERT-23'],
  ['clientAuth', { ...xmpp(JULIET), extendedKeyUsage: ['clientAuth'] }, JULIET, 'good', 'CERT-11'],
  ['no extended key usage', { ...xmpp(JULIET), extendedKeyUsage: null }, JULIET, 'good', 'CERT-11'],
  ['serverAuth only', { ...xmpp(JULIET), extendedKeyUsage: ['serverAuth'] }, JULIET, 'key-usage', 'CERT-11'],
  [
    'serverAuth only, no address asked for',
    { ...xmpp(JULIET), extendedKeyUsage: ['serverAuth'] },
    null,
    'key-usage',
    'CERT-11',
  ],
  ['self-signed client', { ...xmpp(JULIET), signer: 'self' }, JULIET, 'unknown-ca', 'CERT-19'],
  ['self-signed client, no address asked for', { ...xmpp(JULIET), signer: 'self' }, null, 'unknown-ca', 'CERT-19'],
  ['SHA-1', { ...xmpp(JULIET), hash: 'sha1' }, JULIET, 'weak', 'CERT-12'],
];
