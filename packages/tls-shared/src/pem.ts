const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END \1-----/g;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** Whether a text is PEM and not the path of a file. */
export const isPem = (text: string): boolean => text.includes('-----BEGIN ');

/**
 * The certificates of a PEM text (RFC 7468 §5) in their order, DER; other blocks and text around are passed over.
 * @returns null where a block is no base64.
 */
export function readPemCertificates(text: string): readonly Uint8Array[] | null {
  return readPemBlocks(text, 'CERTIFICATE');
}

/** The same for blocks of another label. */
export function readPemBlocks(text: string, wanted: string): readonly Uint8Array[] | null {
  const blocks = [...text.matchAll(BLOCK)].filter(([, label]) => label === wanted);
  const bodies = blocks.map(([, , body = '']) => body.replace(/\s/g, ''));
  return bodies.every((body) => BASE64.test(body)) ? bodies.map((body) => Buffer.from(body, 'base64')) : null;
}

export function toPemCertificate(der: Uint8Array): string {
  const lines = Buffer.from(der)
    .toString('base64')
    .replace(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}
