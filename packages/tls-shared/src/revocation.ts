import { readFileSync } from 'node:fs';
import { type Logger, TransportError } from '@stanzaport/core';
import type { Certificate } from './certificate.ts';
import { parseRevocationList, type RevocationList, type RevocationStatus, statusByLists } from './crl.ts';
import { statusByOcsp } from './ocsp.ts';
import type { Refusal } from './path-validation.ts';
import { isPem, readPemBlocks } from './pem.ts';
import { isAcceptableSignature } from './signature.ts';

/** One source of CRLs: the path of a PEM or DER file, PEM text, or the bytes of a PEM or DER CRL. */
export type CrlSource = string | Uint8Array;

/** What the deployment and the peer bring to tell whether a path was revoked; nothing is fetched. */
export interface RevocationEvidence {
  readonly lists: readonly RevocationList[];
  /** A stapled OCSP response about the end-entity certificate, DER, or null. */
  readonly ocspResponse: Uint8Array | null;
  /** Whether a certificate of which nothing is known is refused. */
  readonly required: boolean;
  readonly nowMs: number;
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
  const byLists = statusByLists(certificate, issuer, evidence);
  if (index > 0 || response === null || byLists === 'revoked') return byLists;
  const byOcsp = statusByOcsp(certificate, issuer, { response, nowMs });
  return byOcsp === 'unknown' ? byLists : byOcsp;
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
