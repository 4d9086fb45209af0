import { readFileSync } from 'node:fs';
import { type Logger, TransportError } from '@stanzaport/core';
import { type Certificate, KEY_USAGE } from './certificate.ts';
import {
  type ListQuestion,
  parseRevocationList,
  type RevocationList,
  type RevocationStatus,
  statusByLists,
} from './crl.ts';
import { statusByOcsp } from './ocsp.ts';
import type { Refusal } from './path-validation.ts';
import { isPem, readPemBlocks } from './pem.ts';
import { hasAcceptableKey, hasAcceptableSignature, isAcceptableSignature, isSignedBy } from './signature.ts';

/** One source of CRLs: the path of a PEM or DER file, PEM text, or the bytes of a PEM or DER CRL. */
export type CrlSource = string | Uint8Array;

/** What the deployment and the peer bring to tell whether a path was revoked; nothing is fetched. */
export interface RevocationEvidence extends ListQuestion {
  /** What the peer presented: a CA may sign its lists with another key than its certificates. */
  readonly presented: readonly Certificate[];
  /** A stapled OCSP response about the end-entity certificate, DER, or null. */
  readonly ocspResponse: Uint8Array | null;
  /** Whether a certificate of which nothing is known is refused. */
  readonly required: boolean;
}

/** Asks for each certificate below the trust anchor; null where none is known to be revoked. */
export function checkRevocation(path: readonly Certificate[], evidence: RevocationEvidence): Refusal | null {
  const statuses = path.slice(0, -1).map((_, index) => statusOf(path, index, evidence));
  if (statuses.includes('revoked')) return { reason: 'revoked', detail: 'A certificate of the path was revoked' };
  if (!evidence.required || statuses.every((status) => status === 'good')) return null;
  return { reason: 'revocation-unknown', detail: 'It is not known whether the path was revoked' };
}

function statusOf(path: readonly Certificate[], index: number, evidence: RevocationEvidence): RevocationStatus {
  const [certificate, issuer] = [path[index] as Certificate, path[index + 1] as Certificate];
  const { ocspResponse: response, nowMs } = evidence;
  const byLists = statusByAnySigner(path, index, evidence);
  if (index > 0 || response === null || byLists === 'revoked') return byLists;
  const byOcsp = statusByOcsp(certificate, issuer, { response, nowMs });
  return byOcsp === 'unknown' ? byLists : byOcsp;
}

/** By the key of the issuer, and by others that the CA has for its lists, where one of them speaks of the certificate. */
function statusByAnySigner(
  path: readonly Certificate[],
  index: number,
  evidence: RevocationEvidence,
): RevocationStatus {
  const [certificate, issuer] = [path[index] as Certificate, path[index + 1] as Certificate];
  const status = statusByLists(certificate, issuer, evidence);
  if (status === 'revoked' || !evidence.lists.some((list) => list.issuer === issuer.subject)) return status;
  const [, ...above] = path.slice(index);
  const others = [...above.slice(1), ...evidence.presented]
    .filter((other) => other.subject === issuer.subject)
    .filter((other) => above.includes(other) || isForListsOf(above, other, evidence))
    .map((other) => statusByLists(certificate, other, evidence));
  return others.find((found) => found === 'revoked') ?? (others.includes('good') ? 'good' : status);
}

/**
 * Whether `other`, which has the name of an issuer, is a certificate for its lists (RFC 5280 §6.3.3 (f)): under the same
 * trust anchor, as a CA of the path signed it, and not revoked.
 * @param cas the issuer, and the rest of the path up to the anchor.
 */
function isForListsOf(cas: readonly Certificate[], other: Certificate, evidence: RevocationEvidence): boolean {
  const { nowMs } = evidence;
  const isFit =
    other.keyUsage?.has(KEY_USAGE.cRLSign) === true &&
    !other.hasUnknownCriticalExtension &&
    other.notBeforeMs <= nowMs &&
    nowMs <= other.notAfterMs &&
    hasAcceptableKey(other) &&
    hasAcceptableSignature(other);
  const signer = isFit ? cas.find((ca) => isIssuerOf(ca, other, evidence)) : undefined;
  return signer !== undefined && statusByLists(other, signer, evidence) !== 'revoked';
}

function isIssuerOf(ca: Certificate, certificate: Certificate, { memo }: RevocationEvidence): boolean {
  return ca.subject === certificate.issuer && memo.isBy(certificate, ca, () => isSignedBy(certificate, ca));
}

/**
 * Reads the lists of a deployment.
 * @throws TransportError `XMPP_BAD_OPTION`, naming the file, for what cannot be read, or cannot be used to judge.
 */
export function readRevocationLists(sources: readonly CrlSource[], logger: Logger): readonly RevocationList[] {
  return sources.flatMap((source, index) => {
    const place = typeof source === 'string' && !isPem(source) ? source : `crls[${index}]`;
    const lists = parseLists(readBytes(source, place), place);
    if (lists.some(({ nextUpdateMs }) => nextUpdateMs < Date.now())) {
      logger.warn({ crl: place }, 'A list of revoked certificates is out of date');
    }
    return lists;
  });
}

function readBytes(source: CrlSource, place: string): Uint8Array {
  if (typeof source !== 'string') return source;
  if (isPem(source)) return Buffer.from(source, 'latin1');
  try {
    return readFileSync(source);
  } catch (error) {
    throw badList(`${place} cannot be read`, error);
  }
}

function parseLists(bytes: Uint8Array, place: string): readonly RevocationList[] {
  const text = Buffer.from(bytes).toString('latin1');
  const encodings = isPem(text) ? readPemBlocks(text, 'X509 CRL') : [bytes];
  if (encodings === null || encodings.length === 0) throw badList(`${place} holds no CRL`);
  return encodings.map((der) => {
    let list: RevocationList;
    try {
      list = parseRevocationList(der);
    } catch (error) {
      throw badList(`${place} holds something that is no CRL, or none that can be used`, error);
    }
    if (!isAcceptableSignature(list.signed.algorithm)) throw badList(`${place} is signed by a weak algorithm`);
    return list;
  });
}

const badList = (message: string, cause?: unknown): TransportError =>
  new TransportError('XMPP_BAD_OPTION', `CRLs: ${message}`, { cause });
