import { constants, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { context, integer, objectIdentifier, sequence } from './der-writer.ts';

/** Kinds of key the test CA can make; the last five are ones a policy should refuse. */
export type TestKeyAlgorithm =
  | 'p-256'
  | 'p-384'
  | 'p-521'
  | 'ed25519'
  | 'rsa-2048'
  | 'rsa-3072'
  | 'rsa-1024'
  | 'dsa-1024'
  | 'p-224'
  | 'secp256k1'
  | 'ed448';

export type TestHash = 'sha256' | 'sha384' | 'sha512' | 'sha1' | 'md5';

const generate = promisify(generateKeyPair);

/** A new private key of the kind asked for. */
export async function createPrivateKey(algorithm: TestKeyAlgorithm): Promise<KeyObject> {
  switch (algorithm) {
    case 'p-256':
    case 'p-384':
    case 'p-521':
      return (await generate('ec', { namedCurve: algorithm.toUpperCase() })).privateKey;
    case 'p-224':
      return (await generate('ec', { namedCurve: 'secp224r1' })).privateKey;
    case 'secp256k1':
      return (await generate('ec', { namedCurve: algorithm })).privateKey;
    case 'ed25519':
      return (await generate('ed25519')).privateKey;
    case 'ed448':
      return (await generate('ed448')).privateKey;
    case 'dsa-1024':
      return (await generate('dsa', { modulusLength: 1024, divisorLength: 160 })).privateKey;
    case 'rsa-1024':
    case 'rsa-2048':
    case 'rsa-3072':
      return (await generate('rsa', { modulusLength: Number(algorithm.slice(4)) })).privateKey;
  }
}

const RSA_SIGNATURES: Record<TestHash, string> = {
  md5: '1.2.840.113549.1.1.4',
  sha1: '1.2.840.113549.1.1.5',
  sha256: '1.2.840.113549.1.1.11',
  sha384: '1.2.840.113549.1.1.12',
  sha512: '1.2.840.113549.1.1.13',
};
const ECDSA_SIGNATURES: Partial<Record<TestHash, string>> = {
  sha1: '1.2.840.10045.4.1',
  sha256: '1.2.840.10045.4.3.2',
  sha384: '1.2.840.10045.4.3.3',
  sha512: '1.2.840.10045.4.3.4',
};
const EDWARDS_SIGNATURES: Readonly<Record<string, string>> = { ed25519: '1.3.101.112', ed448: '1.3.101.113' };
const DSA_WITH_SHA256 = '2.16.840.1.101.3.4.3.2';
const NULL = Uint8Array.of(5, 0);

/** How a certificate is signed: its AlgorithmIdentifier, DER, and what `sign` of node:crypto has to be told. */
export interface SignatureAlgorithm {
  readonly identifier: Uint8Array;
  readonly digest: string | null;
  readonly padding?: { readonly padding: number; readonly saltLength: number };
}

/** The signature that a key makes with a hash; the hash is without effect on an Edwards key. */
export function signatureAlgorithm(key: KeyObject, hash: TestHash, rsaPadding: 'pkcs1' | 'pss'): SignatureAlgorithm {
  const type = key.asymmetricKeyType ?? '';
  const edwards = EDWARDS_SIGNATURES[type];
  if (edwards !== undefined) return { identifier: sequence(objectIdentifier(edwards)), digest: null };
  if (type === 'rsa' && rsaPadding === 'pss') return rsaPss(hash);
  if (type === 'rsa') return { identifier: sequence(objectIdentifier(RSA_SIGNATURES[hash]), NULL), digest: hash };
  if (type === 'dsa') return { identifier: sequence(objectIdentifier(DSA_WITH_SHA256)), digest: 'sha256' };
  const ecdsa = ECDSA_SIGNATURES[hash];
  if (ecdsa === undefined) throw new RangeError(`There is no ECDSA signature with ${hash}`);
  return { identifier: sequence(objectIdentifier(ecdsa)), digest: hash };
}

const HASHES: Partial<Record<TestHash, readonly [oid: string, bytes: number]>> = {
  sha1: ['1.3.14.3.2.26', 20],
  sha256: ['2.16.840.1.101.3.4.2.1', 32],
  sha384: ['2.16.840.1.101.3.4.2.2', 48],
  sha512: ['2.16.840.1.101.3.4.2.3', 64],
};

/** RFC 4055 §3.1, with MGF1 on the same hash and a salt of its length. */
function rsaPss(hash: TestHash): SignatureAlgorithm {
  const [oid, saltLength] = HASHES[hash] ?? [];
  if (oid === undefined || saltLength === undefined) throw new RangeError(`There is no RSASSA-PSS with ${hash} here`);
  const hashAlgorithm = sequence(objectIdentifier(oid), NULL);
  const parameters = sequence(
    context(0, hashAlgorithm),
    context(1, sequence(objectIdentifier('1.2.840.113549.1.1.8'), hashAlgorithm)),
    context(2, integer(saltLength)),
  );
  return {
    identifier: sequence(objectIdentifier('1.2.840.113549.1.1.10'), parameters),
    digest: hash,
    padding: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength },
  };
}
