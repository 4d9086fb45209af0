import { type ErrorCode, TransportError, type TransportErrorDetails } from './errors.ts';

/** The defined conditions of stream errors (RFC 6120 §4.9.3). */
export const STREAM_ERROR_CONDITIONS = [
  'bad-format',
  'bad-namespace-prefix',
  'conflict',
  'connection-timeout',
  'host-gone',
  'host-unknown',
  'improper-addressing',
  'internal-server-error',
  'invalid-from',
  'invalid-namespace',
  'invalid-xml',
  'not-authorized',
  'not-well-formed',
  'policy-violation',
  'remote-connection-failed',
  'reset',
  'resource-constraint',
  'restricted-xml',
  'see-other-host',
  'system-shutdown',
  'undefined-condition',
  'unsupported-encoding',
  'unsupported-feature',
  'unsupported-stanza-type',
  'unsupported-version',
] as const;

/** A defined condition of stream errors (RFC 6120 §4.9.3). */
export type StreamErrorCondition = (typeof STREAM_ERROR_CONDITIONS)[number];

/** What may accompany a {@link StreamError}. */
export interface StreamErrorDetails extends TransportErrorDetails {
  /** Human-readable text for `<text/>`; plain text, escaped by the writer. */
  readonly text?: string;
  /** The application-specific condition (RFC 6120 §4.9.4): an empty element of a namespace of its own. */
  readonly applicationCondition?: { readonly name: string; readonly namespace: string };
  /** 'local' for an error we send (default), 'peer' for one we received. */
  readonly from?: 'local' | 'peer';
}

const LOCAL_CODES: Partial<Record<StreamErrorCondition, ErrorCode>> = {
  'policy-violation': 'XMPP_LIMIT_EXCEEDED',
  'resource-constraint': 'XMPP_LIMIT_EXCEEDED',
  'connection-timeout': 'XMPP_IDLE_TIMEOUT',
  'system-shutdown': 'XMPP_SHUTDOWN',
  'internal-server-error': 'XMPP_INTERNAL',
};

/**
 * A stream error (RFC 6120 §4.9): fatal for one stanza stream, harmless to all others. Given to
 * {@link StanzaStream.abort} to send one; found in the close event when one was sent or received.
 *
 * Its category is `peer-error` when the peer sent it; else it follows from the condition: `limit` for
 * `policy-violation` and `resource-constraint`, `timeout` for `connection-timeout`, `shutdown` for
 * `system-shutdown`, `internal` for `internal-server-error`, `xml` for the rest.
 */
export class StreamError extends TransportError {
  override readonly name = 'StreamError';
  readonly condition: StreamErrorCondition;
  readonly text: string | null;
  readonly applicationCondition: { readonly name: string; readonly namespace: string } | null;
  readonly from: 'local' | 'peer';

  constructor(condition: StreamErrorCondition, details: StreamErrorDetails = {}) {
    const from = details.from ?? 'local';
    const code = from === 'peer' ? 'XMPP_PEER_STREAM_ERROR' : (LOCAL_CODES[condition] ?? 'XMPP_BAD_STREAM');
    const text = details.text ?? null;
    super(code, text === null ? condition : `${condition}: ${text}`, details);
    this.condition = condition;
    this.text = text;
    this.applicationCondition = details.applicationCondition ?? null;
    this.from = from;
  }
}
