import type { Duplex } from 'node:stream';

/** A stream header as an initiating entity sends it (RFC 6120 §4.2). */
export function headerText(to: string): string {
  const namespaces = "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'";
  return `<?xml version='1.0'?><stream:stream ${namespaces} to='${to}' version='1.0'>`;
}

/** All text that comes, until the bytes end in one way or another. */
export function textOf(bytes: Duplex): Promise<string> {
  let text = '';
  bytes.setEncoding('utf8');
  bytes.on('data', (piece: string) => {
    text += piece;
  });
  return new Promise((resolve) => {
    bytes.once('end', () => resolve(text));
    bytes.once('close', () => resolve(text));
  });
}
