import type { IdentityQuestion } from '@stanzaport/core';
import type { VectorRecipe } from './certificate-vector.ts';
import {
  createTestCa,
  type IssueOptions,
  otherName,
  type TestCa,
  type TestCredential,
  type TestExtendedKeyUsage,
  type TestExtension,
  toPem,
} from './certificates.ts';
import {
  context,
  contextPrimitive,
  ia5String,
  objectIdentifier,
  octetString,
  sequence,
  set,
  utf8String,
} from './der-writer.ts';
import type { TestHash, TestKeyAlgorithm } from './test-keys.ts';

const DOMAIN = 'a.example';
const QUESTION: IdentityQuestion = { domain: DOMAIN, purpose: 's2s-server' };
const NAMED: IssueOptions = { dnsNames: [DOMAIN] };
const DAY_MS = 86_400_000;

/** Certificates that name the domain asked for, on paths that are good or are not (CERT-09 to CERT-13). */
export function pathVectors(ca: TestCa): readonly VectorRecipe[] {
  return [...pathsOf(ca), ...constraintsOf(ca), ...purposesOf(ca), ...algorithmsOf(ca), ...boundsOf(ca)];
}

type Issue = VectorRecipe['issue'];
type Expected = VectorRecipe['expected'];

const vector = (requirement: string, name: string, expected: Expected, issue: Issue): VectorRecipe => ({
  requirement,
  name,
  question: QUESTION,
  expected,
  issue,
});

/** A leaf under a CA of its own, which is under the root and made with `options`. */
async function under(ca: TestCa, options: IssueOptions, leaf: IssueOptions = NAMED): Promise<TestCredential> {
  const signer = await ca.issue({ commonName: 'Sub CA', ca: true, signer: ca.root, ...options });
  return ca.issue({ ...leaf, signer });
}

/** The same credential, presenting another chain. */
export function withChain(credential: TestCredential, chainDer: readonly Uint8Array[]): TestCredential {
  return { ...credential, chainDer, chainPem: chainDer.map(toPem).join('') };
}

function pathsOf(ca: TestCa): readonly VectorRecipe[] {
  const path = (name: string, expected: Expected, issue: Issue): VectorRecipe =>
    vector('CERT-09', name, expected, issue);
  const date = (days: number): Date => new Date(Date.now() + days * DAY_MS);
  return [
    path('leaf, intermediate, root', 'good', () => ca.issue(NAMED)),
    path('leaf directly under the root', 'good', () => ca.issue({ ...NAMED, signer: ca.root })),
    path('root presented as well', 'good', async () => {
      const credential = await ca.issue(NAMED);
      return withChain(credential, [...credential.chainDer, ca.rootDer]);
    }),
    path('unrelated certificates in between', 'good', async () => {
      const credential = await ca.issue(NAMED);
      const other = await (await createTestCa({ name: 'Other' })).issue(NAMED);
      const [leaf, ...rest] = credential.chainDer as [Uint8Array, ...Uint8Array[]];
      return withChain(credential, [leaf, ...other.chainDer, ...rest]);
    }),
    path('intermediates in the wrong order', 'good', async () => {
      const upper = await ca.issue({ commonName: 'Upper CA', ca: true, signer: ca.root });
      const lower = await ca.issue({ commonName: 'Lower CA', ca: true, signer: upper });
      const credential = await ca.issue({ ...NAMED, signer: lower });
      return withChain(credential, [credential.der, upper.der, lower.der]);
    }),
    path('missing intermediate', 'unknown-ca', () => ca.issueBad('no-intermediate', DOMAIN)),
    path('unknown CA', 'unknown-ca', () => ca.issueBad('unknown-ca', DOMAIN)),
    path('unknown CA with the names of the known one', 'unknown-ca', async () => (await createTestCa()).issue(NAMED)),
    path('self-signed', 'unknown-ca', () => ca.issueBad('self-signed', DOMAIN)),
    path('self-signed CA as leaf', 'key-usage', () => ca.issue({ ...NAMED, signer: 'self', ca: true })),
    path('CA as leaf', 'key-usage', () => ca.issue({ ...NAMED, signer: ca.root, ca: true, keyUsage: null })),
    path('expired leaf', 'expired', () => ca.issueBad('expired', DOMAIN)),
    path('leaf not yet valid', 'not-yet-valid', () => ca.issueBad('not-yet-valid', DOMAIN)),
    path('expired intermediate', 'expired', () => under(ca, { notBefore: date(-2), notAfter: date(-1) })),
    path('intermediate not yet valid', 'not-yet-valid', () => under(ca, { notBefore: date(1) })),
    path('leaf as issuer', 'not-a-ca', () => under(ca, { ca: false, keyUsage: ['digitalSignature', 'keyCertSign'] })),
    path('intermediate without keyCertSign', 'key-usage', () => under(ca, { keyUsage: ['cRLSign'] })),
    path('intermediate without key usage', 'good', () => under(ca, { keyUsage: null })),
    path('one intermediate too many', 'path-length', async () => {
      const lower = await ca.issue({ commonName: 'Lower CA', ca: true });
      return ca.issue({ ...NAMED, signer: lower });
    }),
    path('self-issued intermediate is not counted', 'good', async () => {
      const upper = await ca.issue({ commonName: 'Renewed CA', ca: true, pathLength: 0, signer: ca.root });
      const lower = await ca.issue({ commonName: 'Renewed CA', ca: true, signer: upper });
      return ca.issue({ ...NAMED, signer: lower });
    }),
    path('signature of another certificate', 'bad-signature', async () => {
      const credential = await ca.issue(NAMED);
      const other = await ca.issue({ ...NAMED, keyOf: credential });
      const der = Buffer.concat([credential.der]);
      der.set(other.der.subarray(-8), der.length - 8);
      return withChain(credential, [der, ...credential.chainDer.slice(1)]);
    }),
    path('issuer of the right name with another key', 'bad-signature', async () => {
      const bare = { extensions: [{ oid: '2.5.29.35', value: sequence() }] };
      const credential = await under(ca, {}, { ...NAMED, ...bare });
      const namesake = await ca.issue({ commonName: 'Sub CA', ca: true, signer: ca.root });
      return withChain(credential, [credential.der, namesake.der]);
    }),
    { ...path('rubbish behind the leaf', 'encoding', () => garbled(ca)), servable: false },
    {
      // A parser that looks for PEM first would check the signature of the inner certificate and the names of the outer.
      ...path('good certificate hidden as PEM in a forged one', 'unknown-ca', async () => {
        const genuine = await ca.issue({ dnsNames: ['evil.example'] });
        const value = Buffer.from(`\n${genuine.chainPem}`);
        const forged = await ca.issue({ ...NAMED, signer: 'self', extensions: [{ oid: '1.2.3.4', value }] });
        return withChain(forged, [forged.der, ca.intermediate.der]);
      }),
      servable: false,
    },
  ];
}

async function garbled(ca: TestCa): Promise<TestCredential> {
  const credential = await ca.issue(NAMED);
  return withChain(credential, [credential.der, Buffer.from('rubbish')]);
}

/** GeneralNames of name constraints (RFC 5280 §4.2.1.10). */
const dnsTree = (text: string): Uint8Array => contextPrimitive(2, Buffer.from(text));
const srvTree = (text: string): Uint8Array => otherName('1.3.6.1.5.5.7.8.7', ia5String(text));
const uriTree = (text: string): Uint8Array => contextPrimitive(6, Buffer.from(text));
const ipTree = (...octets: number[]): Uint8Array => contextPrimitive(7, Uint8Array.from(octets));
const commonNameTree = (text: string): Uint8Array =>
  context(4, sequence(set(sequence(objectIdentifier('2.5.4.3'), utf8String(text)))));

function constrained(permitted: readonly Uint8Array[], excluded: readonly Uint8Array[] = []): IssueOptions {
  const subtrees = (number: number, bases: readonly Uint8Array[]): readonly Uint8Array[] =>
    bases.length === 0 ? [] : [context(number, ...bases.map((base) => sequence(base)))];
  const value = sequence(...subtrees(0, permitted), ...subtrees(1, excluded));
  return { extensions: [{ oid: '2.5.29.30', critical: true, value }] };
}

function constraintsOf(ca: TestCa): readonly VectorRecipe[] {
  const BAD = 'name-constraint';
  const row = (name: string, expected: Expected, options: IssueOptions, leaf: IssueOptions = NAMED): VectorRecipe =>
    vector('CERT-10', name, expected, () => under(ca, options, leaf));
  const wildcard: IssueOptions = { dnsNames: [DOMAIN, '*.w.example'] };
  const withSrv = (name: string): IssueOptions => ({ dnsNames: [DOMAIN], srvNames: [name] });
  const unknown = (critical: boolean): IssueOptions => ({ extensions: [{ oid: '1.2.3.4', critical, value: NULL }] });
  const policies: TestExtension = {
    oid: '2.5.29.32',
    critical: true,
    value: sequence(sequence(objectIdentifier('2.23.140.1.2.1'))),
  };
  const policyConstraints: TestExtension = {
    oid: '2.5.29.36',
    critical: true,
    value: sequence(contextPrimitive(0, ZERO)),
  };
  return [
    row('permitted dNSName', 'good', constrained([dnsTree('a.example')])),
    row('permitted parent', 'good', constrained([dnsTree('example')])),
    row('permitted parent with a dot', 'good', constrained([dnsTree('.example')])),
    row('permitted in other case', 'good', constrained([dnsTree('A.EXAMPLE')])),
    row('one of two permitted', 'good', constrained([dnsTree('b.example'), dnsTree('a.example')])),
    row('another domain permitted', BAD, constrained([dnsTree('.b.example')])),
    row('only domains below permitted', BAD, constrained([dnsTree('.a.example')])),
    row('permitted domain that is only the end of a label', BAD, constrained([dnsTree('xample')])),
    row('excluded dNSName', BAD, constrained([], [dnsTree('a.example')])),
    row('excluded parent', BAD, constrained([], [dnsTree('example')])),
    row('excluded parent with a dot', BAD, constrained([], [dnsTree('.a.example')])),
    row('everything excluded', BAD, constrained([], [dnsTree('')])),
    row('another domain excluded', 'good', constrained([], [dnsTree('b.example')])),
    row('one name of two outside', BAD, constrained([dnsTree('a.example')]), { dnsNames: [DOMAIN, 'b.example'] }),
    row('wildcard inside', 'good', constrained([dnsTree('a.example'), dnsTree('w.example')]), wildcard),
    row('wildcard wider than permitted', BAD, constrained([dnsTree('a.example'), dnsTree('x.w.example')]), wildcard),
    row('wildcard that takes in an excluded name', BAD, constrained([], [dnsTree('x.w.example')]), wildcard),
    row('wildcard beside an excluded name', 'good', constrained([], [dnsTree('x.y.w.example')]), wildcard),
    row('dNSName that cannot be judged', BAD, constrained([dnsTree('example')]), {
      dnsNames: [DOMAIN, 'b ad.example'],
    }),
    row(
      'SRVName outside permitted dNSNames',
      BAD,
      constrained([dnsTree('a.example')]),
      withSrv('_xmpp-server.b.example'),
    ),
    row(
      'SRVName inside permitted dNSNames',
      'good',
      constrained([dnsTree('example')]),
      withSrv('_xmpp-server.b.example'),
    ),
    row('XmppAddr outside permitted dNSNames', BAD, constrained([dnsTree('a.example')]), {
      dnsNames: [DOMAIN],
      xmppAddrs: ['u@b.example'],
    }),
    row('permitted SRVName', 'good', constrained([srvTree('a.example')]), withSrv('_xmpp-server.a.example')),
    row('permitted service', 'good', constrained([srvTree('_xmpp-server')]), withSrv('_xmpp-server.a.example')),
    row('another service permitted', BAD, constrained([srvTree('_sip.a.example')]), withSrv('_xmpp-server.a.example')),
    row(
      'excluded SRVName',
      BAD,
      constrained([], [srvTree('_xmpp-server.a.example')]),
      withSrv('_xmpp-server.a.example'),
    ),
    row('permitted network', 'good', constrained([ipTree(192, 0, 2, 0, 255, 255, 255, 0)]), {
      ...NAMED,
      ipAddresses: ['192.0.2.7'],
    }),
    row('another network permitted', BAD, constrained([ipTree(198, 51, 100, 0, 255, 255, 255, 0)]), {
      ...NAMED,
      ipAddresses: ['192.0.2.7'],
    }),
    row('permitted directory name', 'good', constrained([commonNameTree(DOMAIN)])),
    row('another directory name permitted', BAD, constrained([commonNameTree('b.example')])),
    row('URI constraint, no URI', 'good', constrained([uriTree('b.example')])),
    row('URI constraint, and a URI', BAD, constrained([uriTree('b.example')]), {
      dnsNames: [DOMAIN],
      otherNames: [uriTree('xmpp:b.example')],
    }),
    row('name constraints without a subtree', 'encoding', constrained([])),
    row('unknown critical extension in a CA', 'unknown-critical-extension', unknown(true)),
    row('unknown critical extension in the leaf', 'unknown-critical-extension', {}, { ...NAMED, ...unknown(true) }),
    row('unknown extension that is not critical', 'good', unknown(false), { ...NAMED, ...unknown(false) }),
    row('critical certificate policies', 'good', { extensions: [policies] }, { ...NAMED, extensions: [policies] }),
    row('critical policy constraints', 'unknown-critical-extension', { extensions: [policyConstraints] }),
  ];
}

const NULL = Uint8Array.of(5, 0);
const ZERO = Uint8Array.of(0);

function purposesOf(ca: TestCa): readonly VectorRecipe[] {
  const row = (
    purpose: IdentityQuestion['purpose'],
    extendedKeyUsage: readonly TestExtendedKeyUsage[] | null,
    expected: Expected,
  ): VectorRecipe => ({
    requirement: 'CERT-11',
    name: `${purpose} with ${extendedKeyUsage?.join(' and ') ?? 'no extended key usage'}`,
    question: { domain: DOMAIN, purpose },
    expected,
    issue: () => ca.issue({ ...NAMED, extendedKeyUsage }),
  });
  const other = (name: string, expected: Expected, issue: Issue): VectorRecipe =>
    vector('CERT-11', name, expected, issue);
  return [
    row('c2s-server', ['serverAuth'], 'good'),
    row('c2s-server', ['serverAuth', 'clientAuth'], 'good'),
    row('c2s-server', null, 'good'),
    row('c2s-server', ['anyExtendedKeyUsage'], 'key-usage'),
    row('c2s-server', ['clientAuth'], 'key-usage'),
    row('s2s-server', ['clientAuth'], 'key-usage'),
    row('s2s-client', ['serverAuth'], 'good'),
    row('s2s-client', ['clientAuth'], 'good'),
    row('s2s-client', ['codeSigning'], 'key-usage'),
    other('CA for clients only', 'key-usage', () => under(ca, { extendedKeyUsage: ['clientAuth'] })),
    other('CA for any purpose', 'key-usage', () => under(ca, { extendedKeyUsage: ['anyExtendedKeyUsage'] })),
    other('CA for servers', 'good', () => under(ca, { extendedKeyUsage: ['serverAuth'] })),
    other('digitalSignature among others', 'good', () =>
      ca.issue({ ...NAMED, keyUsage: ['digitalSignature', 'keyAgreement'] }),
    ),
    other('no key usage', 'good', () => ca.issue({ ...NAMED, keyUsage: null })),
    // Some TLS stacks look at this bit themselves.
    {
      ...other('no digitalSignature', 'key-usage', () => ca.issue({ ...NAMED, keyUsage: ['keyAgreement'] })),
      servable: false,
    },
  ];
}

/** Keys that not every TLS stack takes for a leaf. */
const UNSERVABLE: ReadonlySet<TestKeyAlgorithm> = new Set([
  'p-521',
  'ed25519',
  'rsa-1024',
  'dsa-1024',
  'p-224',
  'secp256k1',
  'ed448',
]);

function algorithmsOf(ca: TestCa): readonly VectorRecipe[] {
  // RSA and DSA keys take long to make, so that each kind is made once.
  const made = new Map<TestKeyAlgorithm, Promise<TestCredential>>();
  const caWith = (keyAlgorithm: TestKeyAlgorithm): Promise<TestCredential> => {
    const signer =
      made.get(keyAlgorithm) ?? ca.issue({ commonName: `${keyAlgorithm} CA`, ca: true, signer: ca.root, keyAlgorithm });
    made.set(keyAlgorithm, signer);
    return signer;
  };
  const leafKey = (keyAlgorithm: TestKeyAlgorithm, expected: Expected): VectorRecipe => ({
    ...vector('CERT-12', `leaf key ${keyAlgorithm}`, expected, async () =>
      ca.issue({ ...NAMED, keyOf: await caWith(keyAlgorithm) }),
    ),
    servable: !UNSERVABLE.has(keyAlgorithm),
  });
  const caKey = (keyAlgorithm: TestKeyAlgorithm, expected: Expected, hash: TestHash = 'sha256'): VectorRecipe => ({
    ...vector('CERT-12', `CA key ${keyAlgorithm}, signing with ${hash}`, expected, async () =>
      ca.issue({ ...NAMED, signer: await caWith(keyAlgorithm), hash }),
    ),
    servable: hash !== 'sha1' && hash !== 'md5',
  });
  const pss = (hash: TestHash, expected: Expected): VectorRecipe => ({
    ...vector('CERT-12', `RSASSA-PSS with ${hash}`, expected, async () =>
      ca.issue({ ...NAMED, signer: await caWith('rsa-2048'), rsaPadding: 'pss', hash }),
    ),
    servable: hash !== 'sha1',
  });
  return [
    leafKey('p-384', 'good'),
    leafKey('p-521', 'good'),
    leafKey('ed25519', 'good'),
    leafKey('rsa-2048', 'good'),
    leafKey('rsa-1024', 'weak'),
    leafKey('dsa-1024', 'weak'),
    leafKey('p-224', 'weak'),
    leafKey('secp256k1', 'weak'),
    leafKey('ed448', 'weak'),
    caKey('p-384', 'good', 'sha384'),
    caKey('p-521', 'good', 'sha512'),
    caKey('ed25519', 'good'),
    caKey('rsa-2048', 'good', 'sha256'),
    caKey('rsa-2048', 'good', 'sha384'),
    caKey('rsa-2048', 'good', 'sha512'),
    pss('sha256', 'good'),
    pss('sha384', 'good'),
    pss('sha512', 'good'),
    pss('sha1', 'weak'),
    caKey('rsa-2048', 'weak', 'sha1'),
    caKey('rsa-2048', 'weak', 'md5'),
    caKey('rsa-1024', 'weak'),
    caKey('p-256', 'weak', 'sha1'),
    {
      ...vector('CERT-12', 'intermediate signed with sha1', 'weak', () => under(ca, { hash: 'sha1' })),
      servable: false,
    },
  ];
}

function boundsOf(ca: TestCa): readonly VectorRecipe[] {
  const row = (name: string, expected: Expected, issue: Issue): VectorRecipe =>
    vector('CERT-13', name, expected, issue);
  const padded = async (count: number): Promise<TestCredential> => {
    const credential = await ca.issue(NAMED);
    const missing = count - credential.chainDer.length;
    return withChain(credential, [...credential.chainDer, ...Array<Uint8Array>(missing).fill(ca.rootDer)]);
  };
  return [
    row('ten certificates', 'good', () => padded(10)),
    row('eleven certificates', 'limit', () => padded(11)),
    {
      ...row('more than 64 KiB', 'limit', () =>
        ca.issue({ ...NAMED, extensions: [{ oid: '1.2.3.4', value: octetString(new Uint8Array(66_000)) }] }),
      ),
      servable: false,
    },
    row('nine CAs that all sign each other', 'limit', async () => {
      const elsewhere: IssueOptions = { commonName: 'Maze CA', ca: true, signer: 'self' };
      const first = await ca.issue(elsewhere);
      const others = await Promise.all(Array.from({ length: 8 }, () => ca.issue({ ...elsewhere, keyOf: first })));
      const credential = await ca.issue({ ...NAMED, signer: first });
      return withChain(credential, [credential.der, first.der, ...others.map(({ der }) => der)]);
    }),
  ];
}
