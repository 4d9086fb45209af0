import type { DomainQuestion } from '@stanzaport/core';
import {
  createTestCa,
  type IssueOptions,
  type TestCa,
  type TestCredential,
  type TestExtendedKeyUsage,
} from './certificates.ts';
import { constraintFormVectors } from './constraint-form-vectors.ts';
import { constrained, constraintVectors, dnsTree } from './constraint-vectors.ts';
import { octetString, sequence } from './der-writer.ts';
import { policyVectors } from './policy-vectors.ts';
import type { TestHash, TestKeyAlgorithm } from './test-keys.ts';
import {
  DOMAIN,
  type Expected,
  type Issue,
  NAMED,
  under,
  type VectorRecipe,
  vector,
  withChain,
} from './vector-recipe.ts';

const DAY_MS = 86_400_000;

/** Certificates that name the domain asked for, on paths that are good or are not (CERT-09 to CERT-13). */
export function pathVectors(ca: TestCa): readonly VectorRecipe[] {
  return [
    ...pathsOf(ca),
    ...policyVectors(ca),
    ...constraintVectors(ca),
    ...constraintFormVectors(ca),
    ...purposesOf(ca),
    ...algorithmsOf(ca),
    ...boundsOf(ca),
  ];
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
    path('intermediate without a name', 'not-a-ca', () => under(ca, { commonName: '' })),
    path('intermediate of version 1', 'not-a-ca', () => under(ca, { version: 1 })),
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

function purposesOf(ca: TestCa): readonly VectorRecipe[] {
  const row = (
    purpose: DomainQuestion['purpose'],
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
    row('many names under many constraints', 'limit', () => {
      const trees = Array.from({ length: 320 }, (_, index) => dnsTree(`${index}.example`));
      const names = Array.from({ length: 320 }, (_, index) => `${index}.example`);
      return under(ca, constrained(trees), { dnsNames: [...(NAMED.dnsNames ?? []), ...names] });
    }),
    row('nine CAs that all sign each other', 'limit', async () => {
      const elsewhere: IssueOptions = { commonName: 'Maze CA', ca: true, signer: 'self' };
      const first = await ca.issue(elsewhere);
      const others = await Promise.all(Array.from({ length: 8 }, () => ca.issue({ ...elsewhere, keyOf: first })));
      const credential = await ca.issue({ ...NAMED, signer: first });
      return withChain(credential, [credential.der, first.der, ...others.map(({ der }) => der)]);
    }),
  ];
}
