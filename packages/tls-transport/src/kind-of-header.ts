import type { Readable } from 'node:stream';
import { CONTENT_NAMESPACES, type ConnectionKind, type Limits, XmlStreamReader } from '@stanzaport/core';

/**
 * Tells by the content namespace of its stream header who is at the other end (RFC 6120 §4.8.2), and gives all bytes back
 * to be read again. Calls back once, unless the bytes end or fail before: the caller hears of that itself.
 * @param tell gets the first of `kinds` for what is no header of one of them; the stanza stream will say what is wrong.
 */
export function kindOfHeader(
  bytes: Readable,
  kinds: readonly ConnectionKind[],
  limits: Limits,
  tell: (kind: ConnectionKind | undefined) => void,
): void {
  const chunks: Buffer[] = [];
  const decide = (namespace: string | null): void => {
    reader.pause();
    bytes.pause();
    bytes.off('data', onData);
    bytes.unshift(Buffer.concat(chunks));
    tell(kinds.find((kind) => CONTENT_NAMESPACES[kind] === namespace) ?? kinds[0]);
  };
  const reader = new XmlStreamReader(
    {
      onHeader: ({ namespace }) => decide(namespace),
      onError: () => decide(null),
      onStanza: () => undefined,
      onEnd: () => undefined,
    },
    { ...limits, maxStanzaBytes: limits.maxUnauthenticatedStanzaBytes },
  );
  const onData = (chunk: Buffer): void => {
    chunks.push(chunk);
    reader.feed(chunk);
  };
  bytes.on('data', onData);
}
