import type { ConnectionKind } from '@stanzaport/core';

/** The application protocol of each kind of connection (XEP-0467 §2, XEP-0368 §3). */
export const ALPN_OF: Readonly<Record<ConnectionKind, string>> = { c2s: 'xmpp-client', s2s: 'xmpp-server' };

/** The kind of connection an application protocol stands for; null for one that is not XMPP's. Case matters. */
export function kindOfAlpn(protocol: string): ConnectionKind | null {
  if (protocol === ALPN_OF.c2s) return 'c2s';
  return protocol === ALPN_OF.s2s ? 's2s' : null;
}

/**
 * The protocol the receiving entity selects: the first of its own `kinds` that was offered (RFC 7301 §3.2).
 * @returns null where there is none: the handshake ends with no_application_protocol.
 */
export function selectAlpn(offered: readonly string[], kinds: readonly ConnectionKind[]): string | null {
  return kinds.map((kind) => ALPN_OF[kind]).find((protocol) => offered.includes(protocol)) ?? null;
}
