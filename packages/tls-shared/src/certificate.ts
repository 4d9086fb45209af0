import { createPublicKey, type KeyObject } from 'node:crypto';
import {
  constructedTag,
  contextTag,
  type DerElement,
  DerError,
  DerReader,
  latin1,
  readBoolean,
  readNamedBits,
  readObjectIdentifier,
  readSmallInteger,
  readTime,
  readWhole,
  readWholeOctets,
  TAG,
} from './der.ts';
import { textOfName } from './distinguished-name.ts';
import { type GeneralName, readGeneralNames } from './general-name.ts';
import { type NameConstraints, readNameConstraints } from './name-constraints.ts';
import {
  type PolicyConstraints,
  type PolicyMapping,
  readCertificatePolicies,
  readInhibitAnyPolicy,
  readPolicyConstraints,
  readPolicyMappings,
} from './policy-extensions.ts';

/** Object identifiers of the extensions that path validation understands (RFC 5280 §4.2). */
const EXTENSION = {
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  certificatePolicies: '2.5.29.32',
  policyMappings: '2.5.29.33',
  subjectKeyIdentifier: '2.5.29.14',
  authorityKeyIdentifier: '2.5.29.35',
  policyConstraints: '2.5.29.36',
  extendedKeyUsage: '2.5.29.37',
  inhibitAnyPolicy: '2.5.29.54',
} as const;

const UNDERSTOOD: ReadonlySet<string> = new Set(Object.values(EXTENSION));

/** Bits of the key usage (RFC 5280 §4.2.1.3). */
export const KEY_USAGE = { digitalSignature: 0, keyCertSign: 5, cRLSign: 6 } as const;

interface Extension {
  readonly critical: boolean;
  readonly value: Uint8Array;
}

/** What path validation reads of a certificate; bytes are views of `der`. */
export interface Certificate {
  readonly der: Uint8Array;
  /** 1, 2 or 3. */
  readonly version: number;
  /** Contents of the INTEGER, one character an octet; unique among the certificates of an issuer. */
  readonly serialNumber: string;
  /** What is signed. */
  readonly tbsCertificate: Uint8Array;
  /** The AlgorithmIdentifier of the signature, DER. */
  readonly signatureAlgorithm: Uint8Array;
  readonly signature: Uint8Array;
  /** Equal texts for equal names (RFC 5280 §7.1). */
  readonly issuer: string;
  readonly subject: string;
  /** DER of the Name. */
  readonly issuerDer: Uint8Array;
  readonly subjectDer: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly hasUnknownCriticalExtension: boolean;
  /** Null where the extension is absent. */
  readonly basicConstraints: { readonly ca: boolean; readonly pathLength: number | null } | null;
  /** Numbers of {@link KEY_USAGE}; null where the extension is absent. */
  readonly keyUsage: ReadonlySet<number> | null;
  /** Object identifiers; null where the extension is absent. */
  readonly extendedKeyUsage: ReadonlySet<string> | null;
  /** One character an octet; null where the extension or its key identifier is absent. */
  readonly subjectKeyId: string | null;
  readonly authorityKeyId: string | null;
  readonly subjectAltNames: readonly GeneralName[];
  readonly nameConstraints: NameConstraints | null;
  /** Object identifiers; null where the extension is absent. */
  readonly policies: ReadonlySet<string> | null;
  readonly policyMappings: readonly PolicyMapping[];
  readonly policyConstraints: PolicyConstraints | null;
  readonly inhibitAnyPolicy: number | null;
  /** DER, whole. */
  readonly subjectPublicKeyInfo: Uint8Array;
  /** The AlgorithmIdentifier of the public key, DER. */
  readonly keyAlgorithm: Uint8Array;
  /** Made on first use. @throws DerError for bytes that are no key. */
  readonly publicKey: KeyObject;
}

/**
 * Parses one certificate (RFC 5280 §4.1) with all the extensions that the policy understands.
 * @throws DerError for what is not DER or not a certificate.
 */
export function parseCertificate(der: Uint8Array): Certificate {
  const outer = readWhole(der, TAG.sequence);
  const tbsCertificate = outer.next(TAG.sequence);
  const tbs = new DerReader(tbsCertificate.content);
  const signatureAlgorithm = outer.next(TAG.sequence).encoding;
  const signature = readWholeOctets(outer.next(TAG.bitString));
  outer.end();

  const version = tbs.peek === constructedTag(0) ? readVersion(tbs.enter(constructedTag(0))) : 1;
  const serialNumber = latin1(tbs.next(TAG.integer).content);
  const innerAlgorithm = tbs.next(TAG.sequence).encoding;
  if (Buffer.compare(innerAlgorithm, signatureAlgorithm) !== 0) {
    throw new DerError('Two different signature algorithms');
  }
  const issuerDer = tbs.next(TAG.sequence).encoding;
  const validity = tbs.enter(TAG.sequence);
  const notBeforeMs = readTime(validity.next());
  const notAfterMs = readTime(validity.next());
  validity.end();
  const subjectDer = tbs.next(TAG.sequence).encoding;
  const spki = tbs.next(TAG.sequence);
  tbs.optional(UNIQUE_ID.issuer);
  tbs.optional(UNIQUE_ID.subject);
  const extensions = tbs.done ? new Map<string, Extension>() : readExtensions(tbs, version);
  tbs.end();

  const read = <T>(oid: string, parse: (value: Uint8Array) => T): T | null => {
    const extension = extensions.get(oid);
    return extension === undefined ? null : parse(extension.value);
  };
  let publicKey: KeyObject | null = null;
  return {
    der,
    version,
    serialNumber,
    tbsCertificate: tbsCertificate.encoding,
    signatureAlgorithm,
    signature,
    issuer: textOfName(issuerDer),
    subject: textOfName(subjectDer),
    issuerDer,
    subjectDer,
    notBeforeMs,
    notAfterMs,
    hasUnknownCriticalExtension: [...extensions].some(([oid, { critical }]) => critical && !UNDERSTOOD.has(oid)),
    basicConstraints: read(EXTENSION.basicConstraints, readBasicConstraints),
    keyUsage: read(EXTENSION.keyUsage, (value) => readNamedBits(readOne(value, TAG.bitString))),
    extendedKeyUsage: read(EXTENSION.extendedKeyUsage, readExtendedKeyUsage),
    subjectKeyId: read(EXTENSION.subjectKeyIdentifier, (value) => latin1(readOne(value, TAG.octetString).content)),
    authorityKeyId: read(EXTENSION.authorityKeyIdentifier, readAuthorityKeyId),
    subjectAltNames: read(EXTENSION.subjectAltName, readGeneralNames) ?? [],
    nameConstraints: read(EXTENSION.nameConstraints, readNameConstraints),
    policies: read(EXTENSION.certificatePolicies, readCertificatePolicies),
    policyMappings: read(EXTENSION.policyMappings, readPolicyMappings) ?? [],
    policyConstraints: read(EXTENSION.policyConstraints, readPolicyConstraints),
    inhibitAnyPolicy: read(EXTENSION.inhibitAnyPolicy, readInhibitAnyPolicy),
    subjectPublicKeyInfo: spki.encoding,
    keyAlgorithm: new DerReader(spki.content).next(TAG.sequence).encoding,
    get publicKey(): KeyObject {
      publicKey ??= readPublicKey(spki.encoding);
      return publicKey;
    },
  };
}

/** `[1]` and `[2]` IMPLICIT BIT STRING, which nobody uses since 1996. */
const UNIQUE_ID = { issuer: 0x81, subject: 0x82 } as const;

function readVersion(reader: DerReader): number {
  const version = readSmallInteger(reader.next(TAG.integer)) + 1;
  reader.end();
  if (version !== 2 && version !== 3) throw new DerError('Version is neither 2 nor 3');
  return version;
}

function readExtensions(tbs: DerReader, version: number): ReadonlyMap<string, Extension> {
  if (version !== 3) throw new DerError('Extensions in a certificate that is not of version 3');
  const list = readWhole(tbs.next(constructedTag(3)).content, TAG.sequence);
  const extensions = new Map<string, Extension>();
  while (!list.done) {
    const extension = list.enter(TAG.sequence);
    const oid = readObjectIdentifier(extension.next(TAG.objectIdentifier));
    const critical = extension.optional(TAG.boolean);
    const value = extension.next(TAG.octetString).content;
    extension.end();
    if (extensions.has(oid)) throw new DerError(`Extension ${oid} twice`);
    extensions.set(oid, { critical: critical !== null && readBoolean(critical), value });
  }
  return extensions;
}

function readBasicConstraints(value: Uint8Array): { ca: boolean; pathLength: number | null } {
  const reader = readWhole(value, TAG.sequence);
  const ca = reader.optional(TAG.boolean);
  const pathLength = reader.optional(TAG.integer);
  reader.end();
  return {
    ca: ca !== null && readBoolean(ca),
    pathLength: pathLength === null ? null : readSmallInteger(pathLength),
  };
}

function readExtendedKeyUsage(value: Uint8Array): ReadonlySet<string> {
  const purposes = readWhole(value, TAG.sequence).all((reader) =>
    readObjectIdentifier(reader.next(TAG.objectIdentifier)),
  );
  if (purposes.length === 0) throw new DerError('Extended key usage without a purpose');
  return new Set(purposes);
}

function readAuthorityKeyId(value: Uint8Array): string | null {
  const keyId = readWhole(value, TAG.sequence).optional(contextTag(0));
  return keyId === null ? null : latin1(keyId.content);
}

function readPublicKey(spki: Uint8Array): KeyObject {
  try {
    return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  } catch (error) {
    throw new DerError('Bytes that are no public key', { cause: error });
  }
}

function readOne(bytes: Uint8Array, tag: number): DerElement {
  const reader = new DerReader(bytes);
  const element = reader.next(tag);
  reader.end();
  return element;
}
