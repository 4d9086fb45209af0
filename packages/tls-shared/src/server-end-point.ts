import { createHash } from 'node:crypto';
import { parseCertificate } from './certificate.ts';
import { constructedTag, type DerReader, readObjectIdentifier, readWhole, TAG } from './der.ts';

/** RFC 9266 §2: what `tls-exporter` asks of the exporter of TLS 1.3, or of 1.2 with extended master secret. */
export const TLS_EXPORTER_BINDING: { readonly label: string; readonly bytes: number } = Object.freeze({
  label: 'EXPORTER-Channel-Binding',
  bytes: 32,
});

/**
 * Hashes by the algorithm of the signature on the certificate (RFC 5929 §4.1); MD5 and SHA-1 give way to SHA-256. Those of
 * Ed25519 and Ed448 name no single hash: the binding is not defined.
 */
const HASHES: ReadonlyMap<string, string> = new Map([
  ['1.2.840.113549.1.1.4', 'sha256'],
  ['1.2.840.113549.1.1.5', 'sha256'],
  ['1.2.840.10045.4.1', 'sha256'],
  ['1.2.840.113549.1.1.14', 'sha224'],
  ['1.2.840.113549.1.1.11', 'sha256'],
  ['1.2.840.113549.1.1.12', 'sha384'],
  ['1.2.840.113549.1.1.13', 'sha512'],
  ['1.2.840.10045.4.3.1', 'sha224'],
  ['1.2.840.10045.4.3.2', 'sha256'],
  ['1.2.840.10045.4.3.3', 'sha384'],
  ['1.2.840.10045.4.3.4', 'sha512'],
]);
const RSA_PSS = '1.2.840.113549.1.1.10';
const PSS_HASHES: ReadonlyMap<string, string> = new Map([
  ['1.3.14.3.2.26', 'sha256'],
  ['2.16.840.1.101.3.4.2.4', 'sha224'],
  ['2.16.840.1.101.3.4.2.1', 'sha256'],
  ['2.16.840.1.101.3.4.2.2', 'sha384'],
  ['2.16.840.1.101.3.4.2.3', 'sha512'],
]);

/**
 * The channel binding `tls-server-end-point` (RFC 5929 §4, XEP-0440 §3).
 * @param certificate the end-entity certificate that the server presented in this handshake, DER: what a reload brought
 *   since then is another.
 * @returns null where the binding is not defined for it. Never throws.
 */
export function tlsServerEndPoint(certificate: Uint8Array): Uint8Array | null {
  try {
    const hash = hashOf(parseCertificate(certificate).signatureAlgorithm);
    return hash === null ? null : createHash(hash).update(certificate).digest();
  } catch {
    return null;
  }
}

function hashOf(signatureAlgorithm: Uint8Array): string | null {
  const reader = readWhole(signatureAlgorithm, TAG.sequence);
  const oid = readObjectIdentifier(reader.next(TAG.objectIdentifier));
  return oid === RSA_PSS ? pssHash(reader) : (HASHES.get(oid) ?? null);
}

/** hashAlgorithm is the first of the parameters (RFC 4055 §3.1); left out it is SHA-1, which gives way to SHA-256. */
function pssHash(reader: DerReader): string | null {
  const hash = reader.enter(TAG.sequence).optional(constructedTag(0));
  if (hash === null) return 'sha256';
  const oid = readObjectIdentifier(readWhole(hash.content, TAG.sequence).next(TAG.objectIdentifier));
  return PSS_HASHES.get(oid) ?? null;
}
