import { randomBytes } from 'node:crypto';
import { normalizeDomain } from './domain.ts';
import type { ConnectionKind, Role } from './facts.ts';
import { StreamError, type StreamErrorCondition } from './stream-error.ts';
import type { StreamHeader, StreamHeaderFields } from './stream-header.ts';

/** The content namespace of each kind of connection (RFC 6120 §4.8.2). */
export const CONTENT_NAMESPACES: Readonly<Record<ConnectionKind, string>> = Object.freeze({
  c2s: 'jabber:client',
  s2s: 'jabber:server',
});

/** What a peer's header is held against. */
export interface HeaderContext {
  readonly kind: ConnectionKind;
  /** Our role on this stream. */
  readonly role: Role;
  /** Which `to` is served here; asked with a normalised domain. */
  readonly serves: (domain: string) => boolean;
  /** Whether the certificate we presented covers a `to` that is served here; true where that is not our concern. */
  readonly covers: (domain: string) => boolean;
  /** The peer's header before the restart, null for the first one. */
  readonly previous: StreamHeader | null;
  /** `to` of the header we sent, for the initiating entity. */
  readonly expectedFrom: string | null;
}

/**
 * Judges a peer's stream header by RFC 6120 §4.7 and §4.8.
 * @returns the stream error it deserves, or null when it is good.
 */
export function judgeHeader(header: StreamHeader, context: HeaderContext): StreamError | null {
  const namespace = CONTENT_NAMESPACES[context.kind];
  if (header.namespace !== namespace) {
    return refuse('invalid-namespace', `the content namespace has to be ${namespace}`);
  }
  if (!isSupportedVersion(header.version)) return refuse('unsupported-version', 'version 1.0 is needed');
  return context.role === 'receiving' ? judgeRequest(header, context) : judgeResponse(header, context);
}

function judgeRequest(header: StreamHeader, { kind, serves, covers, previous }: HeaderContext): StreamError | null {
  const to = header.to === undefined ? null : normalizeDomain(header.to);
  if (previous === null) {
    if (to === null) return refuse('improper-addressing', "'to' has to be a domain");
    if (!serves(to)) return refuse('host-unknown');
    if (!covers(to)) return refuse('policy-violation', "the certificate presented does not cover 'to'");
  } else if (header.to !== undefined && to !== normalizeDomain(previous.to ?? '')) {
    return refuse('improper-addressing', "'to' must not change at a restart");
  }
  if (header.from === undefined) return null;
  const from = domainpartOf(header.from);
  if (from === null || (kind === 's2s' && normalizeDomain(header.from) === null)) {
    return refuse('improper-addressing', "'from' has to be an address");
  }
  const before = previous?.from;
  if (before !== undefined && !sameAddress(header.from, before)) {
    return refuse('improper-addressing', "'from' must not change at a restart");
  }
  return null;
}

function judgeResponse(header: StreamHeader, { expectedFrom }: HeaderContext): StreamError | null {
  // Empty in front of an error about an unknown host (RFC 6120 §4.9.1.3).
  if (header.from === undefined || header.from === '' || expectedFrom === null) return null;
  return normalizeDomain(header.from) === normalizeDomain(expectedFrom)
    ? null
    : refuse('invalid-from', "'from' is not the domain the stream was opened to");
}

/** Versions compare by number, major and minor (RFC 6120 §4.7.5). */
function isSupportedVersion(version: string | undefined): boolean {
  const parts = /^(\d{1,9})\.(\d{1,9})$/.exec(version ?? '');
  return parts !== null && Number(parts[1]) >= 1;
}

/** The normalised domainpart of a JID (RFC 7622 §3.2), or null. */
function domainpartOf(jid: string): string | null {
  const bare = jid.split('/', 1)[0] ?? '';
  return normalizeDomain(bare.slice(bare.indexOf('@') + 1));
}

function sameAddress(left: string, right: string): boolean {
  const parts = (jid: string): string => `${jid.slice(0, Math.max(0, jid.indexOf('@')))}@${domainpartOf(jid)}`;
  return parts(left) === parts(right);
}

function refuse(condition: StreamErrorCondition, text?: string): StreamError {
  return new StreamError(condition, text === undefined ? {} : { text });
}

/** Completes the header we send: what the caller leaves out follows from the peer's (RFC 6120 §4.7). */
export function completeHeader(
  fields: StreamHeaderFields,
  { kind, role, peer }: { readonly kind: ConnectionKind; readonly role: Role; readonly peer: StreamHeader | null },
): StreamHeader {
  const receiving = role === 'receiving';
  return {
    namespace: CONTENT_NAMESPACES[kind],
    from: fields.from ?? (receiving ? peer?.to : undefined),
    to: fields.to ?? (receiving ? peer?.from : undefined),
    id: fields.id ?? (receiving ? randomBytes(16).toString('base64url') : undefined),
    lang: fields.lang ?? (receiving ? 'en' : undefined),
    version: '1.0',
  };
}
