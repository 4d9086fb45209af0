import type { Jid } from '../jid.ts';

/** Why an authentication failed (RFC 6120 §6.5). */
export type SaslFailure =
  | 'aborted'
  | 'incorrect-encoding'
  | 'invalid-authzid'
  | 'invalid-mechanism'
  | 'malformed-request'
  | 'not-authorized';

/** A mechanism's answer to a message of the client. */
export type SaslStep =
  | { readonly type: 'challenge'; readonly data: Uint8Array }
  | { readonly type: 'success'; readonly account: Jid; readonly data: Uint8Array | null }
  | { readonly type: 'failure'; readonly condition: SaslFailure };

/** One exchange of a SASL mechanism, server side (RFC 4422). */
export interface SaslMechanism {
  step(message: Uint8Array): Promise<SaslStep>;
}

export function failure(condition: SaslFailure): SaslStep {
  return { type: 'failure', condition };
}

/** @returns null for what is not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
