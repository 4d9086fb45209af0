import { createHash } from 'node:crypto';

/** Hash of each signature algorithm (RFC 5929 §4.1: MD5 and SHA-1 become SHA-256); its OID as the DER value in hexadecimal. */
const HASH_OF_SIGNATURE: Readonly<Record<string, string>> = {
  '2a864886f70d010104': 'sha256',
  '2a864886f70d010105': 'sha256',
  '2a864886f70d01010e': 'sha224',
  '2a864886f70d01010b': 'sha256',
  '2a864886f70d01010c': 'sha384',
  '2a864886f70d01010d': 'sha512',
  '2a8648ce3d0401': 'sha256',
  '2a8648ce3d040301': 'sha224',
  '2a8648ce3d040302': 'sha256',
  '2a8648ce3d040303': 'sha384',
  '2a8648ce3d040304': 'sha512',
};
const RSASSA_PSS = '2a864886f70d01010a';
/** The hash named in the parameters of RSASSA-PSS (RFC 4055 §3.1); SHA-1 where none is named. */
const HASH_OF_PSS: Readonly<Record<string, string>> = {
  '2b0e03021a': 'sha256',
  '608648016503040204': 'sha224',
  '608648016503040201': 'sha256',
  '608648016503040202': 'sha384',
  '608648016503040203': 'sha512',
};

const SEQUENCE = 0x30;
const OBJECT_IDENTIFIER = 0x06;
const CONTEXT_0 = 0xa0;

/**
 * The channel binding `tls-server-end-point` (RFC 5929 §4.1) of the certificate a server presented, DER.
 * @returns null where its signature algorithm names no single hash, as that of Ed25519, and for broken DER.
 */
export function serverEndPointOf(certificate: Uint8Array): Uint8Array | null {
  const hash = signatureHashOf(certificate);
  return hash === null ? null : new Uint8Array(createHash(hash).update(certificate).digest());
}

function signatureHashOf(der: Uint8Array): string | null {
  const [, algorithm] = childrenOf(contentOf(der, SEQUENCE));
  const [identifier, parameters] = childrenOf(contentOf(algorithm, SEQUENCE));
  const oid = hexOf(contentOf(identifier, OBJECT_IDENTIFIER));
  if (oid !== RSASSA_PSS) return HASH_OF_SIGNATURE[oid] ?? null;
  const [first] = childrenOf(contentOf(parameters, SEQUENCE));
  if (first?.[0] !== CONTEXT_0) return 'sha256';
  const [hashAlgorithm] = childrenOf(contentOf(first, CONTEXT_0));
  const [hashOid] = childrenOf(contentOf(hashAlgorithm, SEQUENCE));
  return HASH_OF_PSS[hexOf(contentOf(hashOid, OBJECT_IDENTIFIER))] ?? null;
}

/** The elements within `content`, each with its tag and length; none from the first broken one on. */
function childrenOf(content: Uint8Array): readonly Uint8Array[] {
  const children: Uint8Array[] = [];
  let rest = content;
  while (rest.length > 0) {
    const size = sizeOf(rest);
    if (size === null) break;
    children.push(rest.subarray(0, size.header + size.content));
    rest = rest.subarray(size.header + size.content);
  }
  return children;
}

/** The value of an element of this tag; empty for any other. */
function contentOf(element: Uint8Array | undefined, tag: number): Uint8Array {
  const size = element?.[0] === tag ? sizeOf(element) : null;
  if (element === undefined || size === null) return new Uint8Array();
  return element.subarray(size.header, size.header + size.content);
}

function sizeOf(element: Uint8Array): { readonly header: number; readonly content: number } | null {
  const first = element[1];
  if (first === undefined) return null;
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  const header = 2 + lengthBytes;
  // Four bytes of length are more than any certificate has; 0 is the indefinite form, which DER has not.
  if (first === 0x80 || lengthBytes > 4 || element.length < header) return null;
  const content = lengthBytes === 0 ? first : element.subarray(2, header).reduce((sum, byte) => sum * 256 + byte, 0);
  return header + content > element.length ? null : { header, content };
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
