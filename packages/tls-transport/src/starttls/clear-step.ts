import type { ConnectionKind, TransportError } from '@stanzaport/core';

/** The namespace of STARTTLS (RFC 6120 §5.4). */
export const TLS_NAMESPACE = 'urn:ietf:params:xml:ns:xmpp-tls';

/** What is to be done now; `text` is to be sent before, in clear text. */
export type ClearStep =
  /** Wait for more bytes. */
  | { readonly type: 'wait'; readonly text: string }
  /** The negotiation is done, and not a byte came behind it: TLS begins. */
  | { readonly type: 'secure'; readonly text: string; readonly agreed: ClearAgreement }
  /** Nothing good can follow: the connection ends. */
  | { readonly type: 'end'; readonly text: string; readonly error: TransportError };

/** What is taken over from the clear text; TLS has to confirm all of it. */
export interface ClearAgreement {
  readonly kind: ConnectionKind;
  /** The domain the initiating entity asked for, as A-labels. */
  readonly domain: string;
}
