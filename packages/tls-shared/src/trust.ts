import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { TransportError } from '@stanzaport/core';
import { type Certificate, parseCertificate } from './certificate.ts';
import { isPem, readPemCertificates } from './pem.ts';

/**
 * One source of trust anchors: `'system'` for those that come with Node.js, the path of a PEM file, PEM text, or
 * the bytes of a PEM or DER certificate.
 */
export type TrustSource = string | Uint8Array;

/** Certificates of CAs that are believed; a path that ends in one of them is good (RFC 5280 §6.1.1 (d)). */
export class TrustAnchors {
  readonly #bySubject: ReadonlyMap<string, readonly Certificate[]>;
  readonly size: number;

  /**
   * @param trust `'system'`, or any number of sources.
   * @throws TransportError `XMPP_BAD_TRUST_ANCHORS`, naming the file, if a source cannot be read or holds something
   *   that is no certificate, or if there is no anchor in all.
   */
  constructor(trust: 'system' | readonly TrustSource[] = 'system') {
    const sources = trust === 'system' ? [trust] : trust;
    const unique = new Map(
      sources.flatMap(readSource).map((anchor) => [Buffer.from(anchor.der).toString('hex'), anchor]),
    );
    if (unique.size === 0) throw badAnchors('the set of trust anchors is empty');
    const bySubject = new Map<string, Certificate[]>();
    for (const anchor of unique.values()) {
      bySubject.set(anchor.subject, [...(bySubject.get(anchor.subject) ?? []), anchor]);
    }
    this.#bySubject = bySubject;
    this.size = unique.size;
  }

  /** The anchors of this name, as {@link Certificate.subject} has it. */
  named(subject: string): readonly Certificate[] {
    return this.#bySubject.get(subject) ?? [];
  }
}

function readSource(source: TrustSource, index: number): readonly Certificate[] {
  if (source === 'system') return systemAnchors();
  if (typeof source !== 'string') return parseAnchors(source, `trust[${index}]`);
  if (isPem(source)) return parseAnchors(Buffer.from(source), `trust[${index}]`);
  try {
    return parseAnchors(readFileSync(source), source);
  } catch (error) {
    if (error instanceof TransportError) throw error;
    throw badAnchors(`${source} cannot be read`, error);
  }
}

function parseAnchors(bytes: Uint8Array, place: string): readonly Certificate[] {
  const text = Buffer.from(bytes).toString('latin1');
  const certificates = isPem(text) ? readPemCertificates(text) : [bytes];
  if (certificates === null || certificates.length === 0) throw badAnchors(`${place} holds no certificate`);
  return certificates.map((der) => {
    try {
      const certificate = parseCertificate(der);
      // Decodes the key now, so that a broken one is found here and not in a handshake.
      certificate.publicKey.asymmetricKeyType;
      return certificate;
    } catch (error) {
      throw badAnchors(`${place} holds something that is no certificate`, error);
    }
  });
}

let system: readonly Certificate[] | null = null;

/** Nobody here chose these, so one that this library cannot read is left out instead of failing all. */
function systemAnchors(): readonly Certificate[] {
  system ??= rootCertificates.flatMap((pem) => {
    try {
      return (readPemCertificates(pem) ?? []).map(parseCertificate);
    } catch {
      return [];
    }
  });
  return system;
}

const badAnchors = (message: string, cause?: unknown): TransportError =>
  new TransportError('XMPP_BAD_TRUST_ANCHORS', `Trust anchors: ${message}`, { cause });
