import { createHash } from 'node:crypto';
import { type Certificate, parseCertificate } from './certificate.ts';
import type { RevocationStatus } from './crl.ts';
import {
  constructedTag,
  contextTag,
  DerError,
  DerReader,
  latin1,
  readObjectIdentifier,
  readTime,
  readWhole,
  readWholeOctets,
  TAG,
} from './der.ts';
import { EXTENDED_KEY_USAGE } from './path-validation.ts';
import { hasAcceptableKey, hasAcceptableSignature, isSignature, isSignedBy, type Signed } from './signature.ts';

const BASIC_RESPONSE = '1.3.6.1.5.5.7.48.1.1';

/** Names the certificate that is spoken of; SHA-1 does no harm here, the response as a whole is signed. */
const HASHES: ReadonlyMap<string, string> = new Map([
  ['1.3.14.3.2.26', 'sha1'],
  ['2.16.840.1.101.3.4.2.1', 'sha256'],
]);

/** Certificates that a response brings along; a responder needs one. */
const MOST_CERTIFICATES = 4;

interface SingleResponse {
  readonly hash: string | null;
  readonly issuerNameHash: string;
  readonly issuerKeyHash: string;
  readonly serialNumber: string;
  readonly status: RevocationStatus;
  readonly thisUpdateMs: number;
  /** Null where newer information is always to be had, so that this is never in force. */
  readonly nextUpdateMs: number | null;
}

interface BasicResponse {
  readonly responses: readonly SingleResponse[];
  readonly signed: Signed;
  readonly certificates: readonly Uint8Array[];
}

/**
 * What an OCSP response, stapled by the peer (RFC 6066 §8, RFC 8446 §4.4.2.1), says about a certificate (RFC 6960 §3.2).
 * A revocation counts also when the response is out of date. What is not by the issuer, or by a responder that the issuer
 * has certified for this, says nothing. Never throws: bytes of a peer that are no response say nothing either.
 * @param response DER of the OCSPResponse.
 */
export function statusByOcsp(
  certificate: Certificate,
  issuer: Certificate,
  { response, nowMs }: { readonly response: Uint8Array; readonly nowMs: number },
): RevocationStatus {
  try {
    const basic = parseResponse(response);
    const single = basic?.responses.find((candidate) => isAbout(candidate, certificate, issuer));
    if (basic === null || single === undefined || !isBySomeoneOf(basic, issuer, nowMs)) return 'unknown';
    if (single.status === 'revoked') return 'revoked';
    const { thisUpdateMs, nextUpdateMs } = single;
    return nextUpdateMs !== null && thisUpdateMs <= nowMs && nowMs <= nextUpdateMs ? single.status : 'unknown';
  } catch {
    return 'unknown';
  }
}

function isAbout(single: SingleResponse, certificate: Certificate, issuer: Certificate): boolean {
  if (single.hash === null || single.serialNumber !== certificate.serialNumber) return false;
  const { hash } = single;
  const digest = (bytes: Uint8Array): string => createHash(hash).update(bytes).digest('binary');
  return (
    single.issuerNameHash === digest(certificate.issuerDer) &&
    single.issuerKeyHash === digest(keyBits(issuer.subjectPublicKeyInfo))
  );
}

/** RFC 6960 §4.2.2.2: the issuer itself, or one whose certificate it signed for OCSP. */
function isBySomeoneOf({ signed, certificates }: BasicResponse, issuer: Certificate, nowMs: number): boolean {
  if (isSignature(signed, issuer.publicKey)) return true;
  return certificates.slice(0, MOST_CERTIFICATES).some((der) => {
    const responder = parseCertificate(der);
    return (
      responder.issuer === issuer.subject &&
      responder.extendedKeyUsage?.has(EXTENDED_KEY_USAGE.ocspSigning) === true &&
      !responder.hasUnknownCriticalExtension &&
      responder.notBeforeMs <= nowMs &&
      nowMs <= responder.notAfterMs &&
      hasAcceptableKey(responder) &&
      hasAcceptableSignature(responder) &&
      isSignedBy(responder, issuer) &&
      isSignature(signed, responder.publicKey)
    );
  });
}

/** Null for a response that says only that there is none, or is of another type. */
function parseResponse(der: Uint8Array): BasicResponse | null {
  const outer = readWhole(der, TAG.sequence);
  const status = outer.next(TAG.enumerated).content;
  const bytes = outer.optional(constructedTag(0));
  outer.end();
  if (status.length !== 1 || status[0] !== 0 || bytes === null) return null;
  const typed = readWhole(bytes.content, TAG.sequence);
  const type = readObjectIdentifier(typed.next(TAG.objectIdentifier));
  const basic = typed.next(TAG.octetString).content;
  typed.end();
  return type === BASIC_RESPONSE ? parseBasicResponse(basic) : null;
}

function parseBasicResponse(der: Uint8Array): BasicResponse {
  const outer = readWhole(der, TAG.sequence);
  const content = outer.next(TAG.sequence);
  const algorithm = outer.next(TAG.sequence).encoding;
  const signature = readWholeOctets(outer.next(TAG.bitString));
  const list = outer.optional(constructedTag(0));
  outer.end();
  const data = new DerReader(content.content);
  data.optional(constructedTag(0));
  const responder = data.next();
  if (responder.tag !== constructedTag(1) && responder.tag !== constructedTag(2)) throw new DerError('No responder');
  readTime(data.next(TAG.generalizedTime));
  const responses = data.enter(TAG.sequence).all(readSingleResponse);
  data.optional(constructedTag(1));
  data.end();
  const certificates =
    list === null ? [] : readWhole(list.content, TAG.sequence).all((reader) => reader.next(TAG.sequence).encoding);
  return { responses, certificates, signed: { content: content.encoding, algorithm, signature } };
}

const STATUS: ReadonlyMap<number, RevocationStatus> = new Map([
  [contextTag(0), 'good'],
  [constructedTag(1), 'revoked'],
  [contextTag(2), 'unknown'],
]);

function readSingleResponse(list: DerReader): SingleResponse {
  const single = list.enter(TAG.sequence);
  const id = single.enter(TAG.sequence);
  const algorithm = id.enter(TAG.sequence);
  const hash = HASHES.get(readObjectIdentifier(algorithm.next(TAG.objectIdentifier))) ?? null;
  const issuerNameHash = latin1(id.next(TAG.octetString).content);
  const issuerKeyHash = latin1(id.next(TAG.octetString).content);
  const serialNumber = latin1(id.next(TAG.integer).content);
  id.end();
  const status = STATUS.get(single.next().tag);
  if (status === undefined) throw new DerError('No certificate status');
  const thisUpdateMs = readTime(single.next(TAG.generalizedTime));
  const next = single.optional(constructedTag(0));
  const nextUpdateMs = next === null ? null : readTime(new DerReader(next.content).next(TAG.generalizedTime));
  single.optional(constructedTag(1));
  single.end();
  return { hash, issuerNameHash, issuerKeyHash, serialNumber, status, thisUpdateMs, nextUpdateMs };
}

/** The contents of the BIT STRING of a SubjectPublicKeyInfo. */
function keyBits(subjectPublicKeyInfo: Uint8Array): Uint8Array {
  const reader = readWhole(subjectPublicKeyInfo, TAG.sequence);
  reader.next(TAG.sequence);
  return readWholeOctets(reader.next(TAG.bitString));
}
