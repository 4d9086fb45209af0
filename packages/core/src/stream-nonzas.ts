import type { Element } from '@xmpp/xml';
import { STREAM_ERROR_CONDITIONS, StreamError, type StreamErrorCondition } from './stream-error.ts';
import { Stanza } from './xml/stanza.ts';

/** The first-level elements a stanza stream itself has to understand. */

const STREAMS_NAMESPACE = 'http://etherx.jabber.org/streams';
const CONDITIONS_NAMESPACE = 'urn:ietf:params:xml:ns:xmpp-streams';
const TLS_NAMESPACE = 'urn:ietf:params:xml:ns:xmpp-tls';
const LIMITS_NAMESPACE = 'urn:xmpp:stream-limits:0';

/** The failure case of STARTTLS (RFC 6120 §5.4.2.2). */
export const STARTTLS_FAILURE: string = `<failure xmlns='${TLS_NAMESPACE}'/>`;

/** Message, presence or iq of the content namespace (RFC 6120 §8). */
export function isStanza({ name, namespace }: Stanza, contentNamespace: string): boolean {
  return namespace === contentNamespace && (name === 'message' || name === 'presence' || name === 'iq');
}

export function isStarttls({ name, namespace }: Stanza): boolean {
  return name === 'starttls' && namespace === TLS_NAMESPACE;
}

export function isFeatures({ name, namespace }: Stanza): boolean {
  return name === 'features' && namespace === STREAMS_NAMESPACE;
}

export function isStreamError({ name, namespace }: Stanza): boolean {
  return name === 'error' && namespace === STREAMS_NAMESPACE;
}

/** The error in a received `<stream:error/>`; an unknown or missing condition is `undefined-condition`. */
export function parseStreamError(stanza: Stanza): StreamError {
  let condition: StreamErrorCondition = 'undefined-condition';
  let text: string | undefined;
  let applicationCondition: { name: string; namespace: string } | undefined;
  for (const child of stanza.element.getChildElements()) {
    const name = child.getName();
    const namespace = child.getNS() ?? '';
    if (namespace !== CONDITIONS_NAMESPACE) applicationCondition = { name, namespace };
    else if (name === 'text') text = child.text();
    else if (isCondition(name)) condition = name;
  }
  return new StreamError(condition, {
    from: 'peer',
    ...(text === undefined ? {} : { text }),
    ...(applicationCondition === undefined ? {} : { applicationCondition }),
  });
}

function isCondition(name: string): name is StreamErrorCondition {
  return (STREAM_ERROR_CONDITIONS as readonly string[]).includes(name);
}

/** What received stream features say to this layer. */
export interface Features {
  /** The features without STARTTLS, which nothing above is to see on a secured stream (XEP-0467 §2 (3)). */
  readonly stanza: Stanza;
  readonly offeredStarttls: boolean;
  /** Largest element the peer accepts, in bytes (XEP-0478); null when it does not say. */
  readonly maxBytes: number | null;
}

export function readFeatures(stanza: Stanza): Features {
  // Features are looked into only where they name one of the two; a substring is enough to rule that out.
  const mayOfferStarttls = stanza.source.includes(TLS_NAMESPACE);
  const mayLimit = stanza.source.includes(LIMITS_NAMESPACE);
  if (!mayOfferStarttls && !mayLimit) return { stanza, offeredStarttls: false, maxBytes: null };
  const features = stanza.element;
  const starttls = features.getChildren('starttls', TLS_NAMESPACE);
  return {
    stanza: starttls.length === 0 ? stanza : without(features, starttls),
    offeredStarttls: starttls.length > 0,
    maxBytes: maxBytesOf(features),
  };
}

function without(features: Element, unwanted: readonly Element[]): Stanza {
  features.children = features.children.filter((child) => !unwanted.includes(child as Element));
  return Stanza.of(features);
}

function maxBytesOf(features: Element): number | null {
  const text = features.getChild('limits', LIMITS_NAMESPACE)?.getChildText('max-bytes') ?? '';
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}
