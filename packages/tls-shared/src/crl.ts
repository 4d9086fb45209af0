import { type Certificate, KEY_USAGE } from './certificate.ts';
import {
  constructedTag,
  contextTag,
  type DerElement,
  DerError,
  DerReader,
  latin1,
  readBoolean,
  readObjectIdentifier,
  readTime,
  readWhole,
  readWholeOctets,
  TAG,
} from './der.ts';
import { textOfName } from './distinguished-name.ts';
import { isSignature, type Signed } from './signature.ts';
import type { SignatureMemo } from './signature-memo.ts';

/** A list of revoked certificates (RFC 5280 §5), not yet checked against its issuer. */
export interface RevocationList {
  /** As {@link Certificate.issuer} has it. */
  readonly issuer: string;
  readonly thisUpdateMs: number;
  readonly nextUpdateMs: number;
  readonly revoked: ReadonlySet<string>;
  /** Whether the list speaks of some certificates of its issuer only, so that one not on it may be revoked all the same. */
  readonly partial: boolean;
  readonly signed: Signed;
}

/** What lists are asked with. */
export interface ListQuestion {
  readonly lists: readonly RevocationList[];
  readonly nowMs: number;
  readonly memo: SignatureMemo;
}

/** What is known of one certificate. */
export type RevocationStatus = 'good' | 'revoked' | 'unknown';

const ISSUING_DISTRIBUTION_POINT = '2.5.29.28';
/** indirectCRL: the list is not by the issuer of the certificates (RFC 5280 §5.2.5). */
const INDIRECT = contextTag(4);

/** @throws DerError also for lists that cannot be judged: of version 1, indirect, deltas, with unknown critical extensions. */
export function parseRevocationList(der: Uint8Array): RevocationList {
  const outer = readWhole(der, TAG.sequence);
  const content = outer.next(TAG.sequence);
  const algorithm = outer.next(TAG.sequence).encoding;
  const signature = readWholeOctets(outer.next(TAG.bitString));
  outer.end();

  const tbs = new DerReader(content.content);
  if (tbs.next(TAG.integer).content[0] !== 1) throw new DerError('A CRL that is not of version 2');
  if (Buffer.compare(tbs.next(TAG.sequence).encoding, algorithm) !== 0) {
    throw new DerError('Two different signature algorithms');
  }
  const issuer = textOfName(tbs.next(TAG.sequence).encoding);
  const thisUpdateMs = readTime(tbs.next());
  const nextUpdateMs = readTime(tbs.next());
  const entries = tbs.optional(TAG.sequence);
  const revoked = new Set(entries === null ? [] : new DerReader(entries.content).all(readEntry));
  const extensions = tbs.optional(constructedTag(0));
  tbs.end();
  return {
    issuer,
    thisUpdateMs,
    nextUpdateMs,
    revoked,
    partial: extensions !== null && readIsPartial(extensions),
    signed: { content: content.encoding, algorithm, signature },
  };
}

/**
 * What the lists say about a certificate. An entry counts for good, also when the list is out of date, as no revocation
 * ends (RFC 5280 §3.3); that there is none counts only in a list that is complete and in force.
 */
export function statusByLists(
  certificate: Certificate,
  issuer: Certificate,
  { lists, nowMs, memo }: ListQuestion,
): RevocationStatus {
  let status: RevocationStatus = 'unknown';
  if (issuer.keyUsage?.has(KEY_USAGE.cRLSign) === false) return status;
  for (const list of lists) {
    if (list.issuer !== certificate.issuer || !memo.isBy(list, issuer, () => isSignedOnce(list, issuer))) continue;
    if (list.revoked.has(certificate.serialNumber)) return 'revoked';
    if (!list.partial && list.thisUpdateMs <= nowMs && nowMs <= list.nextUpdateMs) status = 'good';
  }
  return status;
}

/** Whether a list that claims the same issuer names the certificate: all that can be known where the issuer is missing. */
export function isListed({ issuer, serialNumber }: Certificate, lists: readonly RevocationList[]): boolean {
  return lists.some((list) => list.issuer === issuer && list.revoked.has(serialNumber));
}

/** A list may be long, and is asked again for every peer: its signature is checked once for each key. */
const signers = new WeakMap<RevocationList, Map<string, boolean>>();

function isSignedOnce(list: RevocationList, { subjectPublicKeyInfo, publicKey }: Certificate): boolean {
  const known = signers.get(list) ?? new Map<string, boolean>();
  signers.set(list, known);
  const key = latin1(subjectPublicKeyInfo);
  const signed = known.get(key) ?? isSignature(list.signed, publicKey);
  // Others than the issuer's own few keys come from peers, and are not kept.
  if (signed) known.set(key, true);
  return signed;
}

function readEntry(list: DerReader): string {
  const entry = list.enter(TAG.sequence);
  const serialNumber = latin1(entry.next(TAG.integer).content);
  readTime(entry.next());
  const extensions = entry.optional(TAG.sequence);
  entry.end();
  if (extensions !== null) readExtensions(new DerReader(extensions.content), () => false);
  return serialNumber;
}

function readIsPartial(extensions: DerElement): boolean {
  let partial = false;
  readExtensions(readWhole(extensions.content, TAG.sequence), (oid, value) => {
    if (oid !== ISSUING_DISTRIBUTION_POINT) return false;
    const point = readWhole(value, TAG.sequence).all((reader) => reader.next());
    partial = true;
    return !point.some(({ tag }) => tag === INDIRECT);
  });
  return partial;
}

/** @throws DerError where a critical extension is not understood (RFC 5280 §5.2, §5.3). */
function readExtensions(list: DerReader, understand: (oid: string, value: Uint8Array) => boolean): void {
  while (!list.done) {
    const extension = list.enter(TAG.sequence);
    const oid = readObjectIdentifier(extension.next(TAG.objectIdentifier));
    const critical = extension.optional(TAG.boolean);
    const { content } = extension.next(TAG.octetString);
    extension.end();
    const understood = understand(oid, content);
    if (critical !== null && readBoolean(critical) && !understood) {
      throw new DerError('A CRL with a critical extension that is not understood');
    }
  }
}
