import { createHash, sign, X509Certificate } from 'node:crypto';
import type { TestCredential, TestExtension } from './certificates.ts';
import {
  bitString,
  boolean,
  context,
  contextPrimitive,
  der,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  time,
} from './der-writer.ts';
import { signatureAlgorithm, type TestHash } from './test-keys.ts';

const DAY_MS = 86_400_000;

interface SignedByOptions {
  /** @defaultValue one hour ago */
  readonly thisUpdate?: Date;
  /** @defaultValue in one day */
  readonly nextUpdate?: Date;
  /** @defaultValue `'sha256'` */
  readonly hash?: TestHash;
}

/** A list of revoked certificates, as a CA could issue one; nothing is checked. */
export interface CrlOptions extends SignedByOptions {
  readonly revoked?: readonly Pick<TestCredential, 'der'>[];
  /** Of the list. */
  readonly extensions?: readonly TestExtension[];
  /** Of each entry. */
  readonly entryExtensions?: readonly TestExtension[];
  /** Another key than the issuer's. */
  readonly signedBy?: TestCredential;
}

/** A CRL of version 2 (RFC 5280 §5), DER. */
export function createCrl(issuer: TestCredential, options: CrlOptions = {}): Uint8Array {
  const { revoked = [], extensions = [], entryExtensions = [], signedBy = issuer } = options;
  const { identifier, seal } = sealer(signedBy, options);
  const { thisUpdate, nextUpdate } = updates(options);
  const entries = revoked.map((certificate) =>
    sequence(serialNumberOf(certificate), time(thisUpdate), ...listed(entryExtensions)),
  );
  return seal(
    sequence(
      integer(1),
      identifier,
      issuer.subject,
      time(thisUpdate),
      time(nextUpdate),
      ...(entries.length === 0 ? [] : [sequence(...entries)]),
      ...listed(extensions).map((list) => context(0, list)),
    ),
  );
}

/** What an OCSP responder could say; nothing is checked. */
export interface OcspOptions extends SignedByOptions {
  /** @defaultValue `'good'` */
  readonly status?: 'good' | 'revoked' | 'unknown';
  /** How the certificate is named. @defaultValue `'sha1'` */
  readonly idHash?: 'sha1' | 'sha256';
  /** A responder of the CA instead of the CA itself; its certificate is sent along. */
  readonly responder?: TestCredential;
  /** @defaultValue false */
  readonly withoutNextUpdate?: boolean;
}

/** An OCSPResponse (RFC 6960 §4.2.1) of `issuer` about `certificate`, DER. */
export function createOcspResponse(
  issuer: TestCredential,
  certificate: Pick<TestCredential, 'der'>,
  options: OcspOptions = {},
): Uint8Array {
  const { status = 'good', idHash = 'sha1', responder = issuer, withoutNextUpdate = false } = options;
  const { thisUpdate, nextUpdate } = updates(options);
  const hash = (bytes: Uint8Array): Uint8Array => octetString(createHash(idHash).update(bytes).digest());
  const statuses = {
    good: contextPrimitive(0, new Uint8Array()),
    revoked: context(1, generalizedTime(thisUpdate)),
    unknown: contextPrimitive(2, new Uint8Array()),
  };
  const single = sequence(
    sequence(
      sequence(objectIdentifier(ID_HASHES[idHash]), NULL),
      hash(issuer.subject),
      hash(keyBitsOf(issuer)),
      serialNumberOf(certificate),
    ),
    statuses[status],
    generalizedTime(thisUpdate),
    ...(withoutNextUpdate ? [] : [context(0, generalizedTime(nextUpdate))]),
  );
  const data = sequence(context(1, responder.subject), generalizedTime(thisUpdate), sequence(single));
  const { seal } = sealer(responder, options);
  const basic = seal(data, ...(responder === issuer ? [] : [context(0, sequence(responder.der))]));
  const bytes = sequence(objectIdentifier('1.3.6.1.5.5.7.48.1.1'), octetString(basic));
  return sequence(der(0x0a, Uint8Array.of(0)), context(0, bytes));
}

const NULL = Uint8Array.of(5, 0);
const ID_HASHES = { sha1: '1.3.14.3.2.26', sha256: '2.16.840.1.101.3.4.2.1' } as const;

function sealer(
  { privateKey }: TestCredential,
  { hash = 'sha256' }: SignedByOptions,
): { identifier: Uint8Array; seal: (content: Uint8Array, ...rest: readonly Uint8Array[]) => Uint8Array } {
  const { identifier, digest, padding } = signatureAlgorithm(privateKey, hash, 'pkcs1');
  return {
    identifier,
    seal: (content, ...rest) =>
      sequence(content, identifier, bitString(sign(digest, content, { key: privateKey, ...padding })), ...rest),
  };
}

function updates({ thisUpdate, nextUpdate }: SignedByOptions): { thisUpdate: Date; nextUpdate: Date } {
  return {
    thisUpdate: thisUpdate ?? new Date(Date.now() - DAY_MS / 24),
    nextUpdate: nextUpdate ?? new Date(Date.now() + DAY_MS),
  };
}

const listed = (extensions: readonly TestExtension[]): readonly Uint8Array[] =>
  extensions.length === 0
    ? []
    : [
        sequence(
          ...extensions.map(({ oid, critical = false, value }) =>
            sequence(objectIdentifier(oid), ...(critical ? [boolean(true)] : []), octetString(value)),
          ),
        ),
      ];

const serialNumberOf = ({ der: bytes }: Pick<TestCredential, 'der'>): Uint8Array =>
  integer(Buffer.from(new X509Certificate(bytes).serialNumber, 'hex'));

/** The contents of the BIT STRING of the key; it is the last element of a SubjectPublicKeyInfo. */
function keyBitsOf({ der: bytes }: TestCredential): Uint8Array {
  const jwk = new X509Certificate(bytes).publicKey.export({ format: 'jwk' });
  const coordinate = (text: string | undefined): Buffer => Buffer.from(text ?? '', 'base64url');
  if (jwk.kty !== 'EC') throw new RangeError('Only for CAs with an elliptic curve key');
  return Buffer.concat([Uint8Array.of(4), coordinate(jwk.x), coordinate(jwk.y)]);
}

function generalizedTime(date: Date): Uint8Array {
  const digits = date.toISOString().replace(/\.\d+/, '').replace(/[-:T]/g, '');
  return der(0x18, Buffer.from(digits, 'latin1'));
}
