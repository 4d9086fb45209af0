import { type DomainQuestion, isIpLiteral, normalizeDomain } from '@stanzaport/core';
import { type IssueOptions, otherName, type TestCa } from './certificates.ts';
import { contextPrimitive, ia5String, utf8String } from './der-writer.ts';
import type { VectorRecipe } from './vector-recipe.ts';

type Purpose = DomainQuestion['purpose'];
type Row = readonly [
  requirement: string,
  name: string,
  names: IssueOptions,
  domain: string,
  purpose: Purpose,
  expected: VectorRecipe['expected'],
];

const SUBJECT_ALT_NAME = '2.5.29.17';
const MISMATCH = 'name-mismatch';

/** Certificates with a good path, and names that prove the domain asked for or do not (CERT-02 to CERT-08). */
export function nameVectors(ca: TestCa): readonly VectorRecipe[] {
  return ROWS.map(([requirement, name, names, domain, purpose, expected]) => ({
    requirement,
    name,
    question: { domain, purpose },
    expected,
    // A transport cannot even ask for what is no domain.
    servable: normalizeDomain(domain) !== null && !isIpLiteral(domain),
    issue: () => ca.issue(names),
  }));
}

const dns = (...dnsNames: string[]): IssueOptions => ({ dnsNames });
const srv = (...srvNames: string[]): IssueOptions => ({ srvNames });
const xmpp = (...xmppAddrs: string[]): IssueOptions => ({ xmppAddrs });

const ROWS: readonly Row[] = [
  ['CERT-02', 'name of the host behind the SRV record', dns('x.hoster.example'), 'a.example', 'c2s-server', MISMATCH],

  ['CERT-03', 'dNSName in other case', dns('IM.Example.ORG'), 'im.example.org', 'c2s-server', 'good'],
  ['CERT-03', 'second of two dNSNames', dns('b.example', 'a.example'), 'a.example', 's2s-server', 'good'],
  ['CERT-03', 'common name alone', { commonName: 'a.example' }, 'a.example', 'c2s-server', MISMATCH],
  [
    'CERT-03',
    'fitting common name beside another dNSName',
    { commonName: 'a.example', dnsNames: ['b.example'] },
    'a.example',
    'c2s-server',
    MISMATCH,
  ],
  ['CERT-03', 'dNSName that only ends like the domain', dns('aa.example'), 'a.example', 'c2s-server', MISMATCH],
  ['CERT-03', 'dNSName of the parent', dns('example'), 'a.example', 'c2s-server', MISMATCH],

  ['CERT-04', 'SRVName xmpp-server, s2s', srv('_xmpp-server.a.example'), 'a.example', 's2s-server', 'good'],
  ['CERT-04', 'SRVName xmpp-server, initiating', srv('_xmpp-server.a.example'), 'a.example', 's2s-client', 'good'],
  ['CERT-04', 'SRVName xmpp-server, c2s', srv('_xmpp-server.a.example'), 'a.example', 'c2s-server', MISMATCH],
  ['CERT-04', 'SRVName xmpp-client, c2s', srv('_xmpp-client.a.example'), 'a.example', 'c2s-server', 'good'],
  ['CERT-04', 'SRVName xmpp-client, s2s', srv('_xmpp-client.a.example'), 'a.example', 's2s-server', MISMATCH],
  ['CERT-04', 'SRVName xmpps-server', srv('_xmpps-server.a.example'), 'a.example', 's2s-server', MISMATCH],
  ['CERT-04', 'SRVName of another domain', srv('_xmpp-server.b.example'), 'a.example', 's2s-server', MISMATCH],
  ['CERT-04', 'SRVName in other case', srv('_XMPP-Server.A.EXAMPLE'), 'a.example', 's2s-server', 'good'],
  ['CERT-04', 'SRVName without a service', srv('a.example'), 'a.example', 's2s-server', MISMATCH],

  ['CERT-05', 'XmppAddr', xmpp('a.example'), 'a.example', 's2s-server', 'good'],
  ['CERT-05', 'XmppAddr with a localpart', xmpp('u@a.example'), 'a.example', 's2s-server', MISMATCH],
  ['CERT-05', 'XmppAddr with a resource', xmpp('a.example/x'), 'a.example', 's2s-server', MISMATCH],
  ['CERT-05', 'XmppAddr with a wildcard', xmpp('*.a.example'), 'x.a.example', 's2s-server', MISMATCH],
  [
    'CERT-05',
    'XmppAddr of the wrong string type',
    { otherNames: [otherName('1.3.6.1.5.5.7.8.5', ia5String('a.example'))] },
    'a.example',
    's2s-server',
    MISMATCH,
  ],
  ['CERT-05', 'XmppAddr in Unicode', xmpp('bücher.example'), 'xn--bcher-kva.example', 's2s-server', 'good'],

  ['CERT-06', 'wildcard, one label', dns('*.a.example'), 'x.a.example', 'c2s-server', 'good'],
  ['CERT-06', 'wildcard, no label', dns('*.a.example'), 'a.example', 'c2s-server', MISMATCH],
  ['CERT-06', 'wildcard, two labels', dns('*.a.example'), 'x.y.a.example', 'c2s-server', MISMATCH],
  ['CERT-06', 'wildcard for an A-label', dns('*.a.example'), 'xn--bcher-kva.a.example', 'c2s-server', 'good'],
  ['CERT-06', 'wildcard within a label', dns('x*.a.example'), 'xy.a.example', 'c2s-server', MISMATCH],
  ['CERT-06', 'wildcard in the middle', dns('a.*.example'), 'a.x.example', 'c2s-server', MISMATCH],
  ['CERT-06', 'wildcard alone', dns('*'), 'example', 'c2s-server', MISMATCH],
  ['CERT-06', 'two wildcards', dns('*.*.example'), 'x.a.example', 'c2s-server', MISMATCH],
  ['CERT-06', 'wildcard in an SRVName', srv('_xmpp-server.*.a.example'), 'x.a.example', 's2s-server', 'good'],
  ['CERT-06', 'wildcard in an SRVName, no label', srv('_xmpp-server.*.a.example'), 'a.example', 's2s-server', MISMATCH],
  ['CERT-06', 'wildcard within an A-label', dns('xn--*.a.example'), 'xn--bcher-kva.a.example', 'c2s-server', MISMATCH],
  ['CERT-06', 'wildcard behind a label', dns('x.*'), 'x.example', 'c2s-server', MISMATCH],
  ['CERT-06', 'wildcard asked for', dns('*.a.example'), '*.a.example', 'c2s-server', MISMATCH],
  ['CERT-06', 'wildcard as the service', srv('*.a.example'), 'a.example', 's2s-server', MISMATCH],

  ['CERT-07', 'A-label for a U-label', dns('xn--bcher-kva.example'), 'bücher.example', 'c2s-server', 'good'],
  ['CERT-07', 'JID to be normalised', dns('xn--bcher-kva.example'), 'BÜCHER。Example', 'c2s-server', 'good'],
  ['CERT-07', 'raw UTF-8 in a dNSName', dns('bücher.example'), 'bücher.example', 'c2s-server', MISMATCH],
  ['CERT-07', 'domain that cannot be converted', dns('a b.example'), 'a b.example', 'c2s-server', MISMATCH],

  ['CERT-08', 'NUL in a dNSName', dns('a.example\0.evil.example'), 'a.example', 'c2s-server', MISMATCH],
  ['CERT-08', 'NUL in an SRVName', srv('_xmpp-server.a.example\0.evil.example'), 'a.example', 's2s-server', MISMATCH],
  ['CERT-08', 'NUL in an XmppAddr', xmpp('a.example\0.evil.example'), 'a.example', 's2s-server', MISMATCH],
  ['CERT-08', 'NUL behind a dNSName', dns('a.example\0'), 'a.example', 'c2s-server', MISMATCH],
  ['CERT-08', 'IPv6 literal in an XmppAddr', xmpp('[2001:db8::1]'), '[2001:db8::1]', 's2s-server', MISMATCH],
  ['CERT-08', 'wildcard over an IP literal', dns('*.0.2.1'), '192.0.2.1', 'c2s-server', MISMATCH],
  [
    'CERT-08',
    'domain in an e-mail address',
    { otherNames: [contextPrimitive(1, Buffer.from('u@a.example'))] },
    'a.example',
    's2s-server',
    MISMATCH,
  ],
  ['CERT-08', 'space behind a dNSName', dns('a.example '), 'a.example', 'c2s-server', MISMATCH],
  ['CERT-08', 'dot behind a dNSName', dns('a.example.'), 'a.example', 'c2s-server', MISMATCH],
  ['CERT-08', 'dot behind an XmppAddr', xmpp('a.example.'), 'a.example', 's2s-server', MISMATCH],
  ['CERT-08', 'empty dNSName', dns(''), 'a.example', 'c2s-server', MISMATCH],
  ['CERT-08', 'empty label', dns('.a.example'), 'a.example', 'c2s-server', MISMATCH],
  ['CERT-08', 'iPAddress for an IP literal', { ipAddresses: ['192.0.2.1'] }, '192.0.2.1', 'c2s-server', MISMATCH],
  ['CERT-08', 'IP literal in a dNSName', dns('192.0.2.1'), '192.0.2.1', 'c2s-server', MISMATCH],
  [
    'CERT-08',
    'SRVName of the wrong string type',
    { otherNames: [otherName('1.3.6.1.5.5.7.8.7', utf8String('_xmpp-server.a.example'))] },
    'a.example',
    's2s-server',
    MISMATCH,
  ],
  [
    'CERT-08',
    'domain in an otherName of an unknown kind',
    { otherNames: [otherName('1.3.6.1.5.5.7.8.99', utf8String('a.example'))] },
    'a.example',
    's2s-server',
    MISMATCH,
  ],
  [
    'CERT-08',
    'domain in a URI',
    { otherNames: [contextPrimitive(6, Buffer.from('xmpp:a.example'))] },
    'a.example',
    's2s-server',
    MISMATCH,
  ],
  ['CERT-08', 'subjectAltName cut off', truncatedNames('a.example'), 'a.example', 'c2s-server', 'encoding'],
  ['CERT-08', 'empty subjectAltName', rawNames(Uint8Array.of(0x30, 0)), 'a.example', 'c2s-server', 'encoding'],
];

function rawNames(value: Uint8Array): IssueOptions {
  return { extensions: [{ oid: SUBJECT_ALT_NAME, value }] };
}

function truncatedNames(domain: string): IssueOptions {
  const name = contextPrimitive(2, Buffer.from(domain));
  return rawNames(Buffer.concat([Uint8Array.of(0x30, name.length + 1), name]));
}
