import { constants, type KeyObject, type SignKeyObjectInput, type VerifyKeyObjectInput, verify } from 'node:crypto';
import type { Certificate } from './certificate.ts';

type SignatureAlgorithm = { readonly keyType: string; readonly hash: string | null; readonly saltLength?: number };

/**
 * The signatures accepted below a trust anchor, by their whole AlgorithmIdentifier in hexadecimal (RFC 9325 §4.5,
 * RFC 4055, RFC 5758, RFC 8410). What is not here, MD5 and SHA-1 among it, is weak.
 */
const SIGNATURES: ReadonlyMap<string, SignatureAlgorithm> = new Map([
  ['300d06092a864886f70d01010b0500', { keyType: 'rsa', hash: 'sha256' }],
  ['300d06092a864886f70d01010c0500', { keyType: 'rsa', hash: 'sha384' }],
  ['300d06092a864886f70d01010d0500', { keyType: 'rsa', hash: 'sha512' }],
  [rsaPss('201', 32), { keyType: 'rsa', hash: 'sha256', saltLength: 32 }],
  [rsaPss('202', 48), { keyType: 'rsa', hash: 'sha384', saltLength: 48 }],
  [rsaPss('203', 64), { keyType: 'rsa', hash: 'sha512', saltLength: 64 }],
  ['300a06082a8648ce3d040302', { keyType: 'ec', hash: 'sha256' }],
  ['300a06082a8648ce3d040303', { keyType: 'ec', hash: 'sha384' }],
  ['300a06082a8648ce3d040304', { keyType: 'ec', hash: 'sha512' }],
  ['300506032b6570', { keyType: 'ed25519', hash: null }],
]);

/** The public keys accepted, by their whole AlgorithmIdentifier in hexadecimal: so curves are named, never described. */
const RSA_KEY = '300d06092a864886f70d0101010500';
const CURVE_KEYS: ReadonlySet<string> = new Set([
  '301306072a8648ce3d020106082a8648ce3d030107', // P-256
  '301006072a8648ce3d020106052b81040022', // P-384
  '301006072a8648ce3d020106052b81040023', // P-521
  '300506032b6570', // Ed25519
]);

/** RFC 9325 §4.5. */
const LEAST_RSA_BITS = 2048;
/** Above this a verification costs so much that a chain of them would be a weapon; no public CA goes there. */
const MOST_RSA_BITS = 8192;
/** RSA exponents in use are 3 and 65,537; one as long as the modulus makes verifying as slow as signing. */
const MOST_RSA_EXPONENT = 2n ** 33n;

/** Whether the algorithm of the signature on `certificate` is one we accept. */
export function hasAcceptableSignature(certificate: Certificate): boolean {
  return isAcceptableSignature(certificate.signatureAlgorithm);
}

/** @param algorithm the whole AlgorithmIdentifier, DER. */
export function isAcceptableSignature(algorithm: Uint8Array): boolean {
  return SIGNATURES.has(hex(algorithm));
}

/** Whether its public key is of an algorithm and size we accept. */
export function hasAcceptableKey(certificate: Pick<Certificate, 'keyAlgorithm' | 'publicKey'>): boolean {
  const algorithm = hex(certificate.keyAlgorithm);
  if (CURVE_KEYS.has(algorithm)) return true;
  if (algorithm !== RSA_KEY) return false;
  const { modulusLength = 0, publicExponent = 0n } = certificate.publicKey.asymmetricKeyDetails ?? {};
  return modulusLength >= LEAST_RSA_BITS && modulusLength <= MOST_RSA_BITS && publicExponent <= MOST_RSA_EXPONENT;
}

/** Whether `issuer`'s key made the signature on `certificate`. Both must have been found acceptable before. */
export function isSignedBy(certificate: Certificate, issuer: Certificate): boolean {
  const { tbsCertificate: content, signatureAlgorithm: algorithm, signature } = certificate;
  return isSignature({ content, algorithm, signature }, issuer.publicKey);
}

/** Something signed, as X.509 has it: certificates, CRLs and OCSP responses. */
export interface Signed {
  readonly content: Uint8Array;
  /** The whole AlgorithmIdentifier, DER. */
  readonly algorithm: Uint8Array;
  readonly signature: Uint8Array;
}

/** Whether `key` made the signature, by an algorithm we accept. */
export function isSignature({ content, algorithm: identifier, signature }: Signed, key: KeyObject): boolean {
  const algorithm = SIGNATURES.get(hex(identifier));
  if (algorithm === undefined || key.asymmetricKeyType !== algorithm.keyType) return false;
  const { saltLength } = algorithm;
  const input: VerifyKeyObjectInput & SignKeyObjectInput =
    saltLength === undefined ? { key } : { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength };
  return verify(algorithm.hash, content, input, signature);
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** RSASSA-PSS (RFC 4055 §3.1) with one SHA-2 hash for the message and for MGF1, and a salt as long as the hash. */
function rsaPss(sha2: '201' | '202' | '203', saltLength: number): string {
  const hash = `300d0609608648016503040${sha2}0500`;
  const salt = saltLength.toString(16);
  return `304106092a864886f70d01010a3034a00f${hash}a11c301a06092a864886f70d010108${hash}a2030201${salt}`;
}
