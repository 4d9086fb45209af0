import { constants } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { TransportError, toTransportError } from '@stanzaport/core';
import { type Credential, NODE_TLS_OPTIONS } from '@stanzaport/tls-shared';

/**
 * The settings of all transports (RFC 9325). There are no session tickets: a resumed session does not bring the peer's chain
 * with it, so that nobody could be judged again (`docs/decisions/0013-no-tickets-over-tcp.md`). With them goes early data.
 */
const SETTINGS: SecureContextOptions = {
  ...NODE_TLS_OPTIONS,
  secureOptions: (NODE_TLS_OPTIONS.secureOptions ?? 0) | constants.SSL_OP_NO_TICKET,
  // The verdict is the policy's; certificates of the stack's own store would be mixed into what the peer presented.
  ca: [],
};

/** The configurations of the TLS stack: one for each credential, and one that presents nothing. */
export class SecureContexts {
  readonly #byCredential = new WeakMap<Credential, SecureContext>();
  #anonymous: SecureContext | null = null;

  /** @throws TransportError `XMPP_BAD_CREDENTIAL` when the TLS stack does not take the credential. */
  of(credential: Credential | null): SecureContext {
    if (credential === null) {
      this.#anonymous ??= createSecureContext(SETTINGS);
      return this.#anonymous;
    }
    const known = this.#byCredential.get(credential);
    if (known !== undefined) return known;
    const context = createContext(credential);
    this.#byCredential.set(credential, context);
    return context;
  }
}

function createContext(credential: Credential): SecureContext {
  try {
    return createSecureContext({ ...SETTINGS, cert: credential.chainPem, key: credential.keyPem });
  } catch (thrown) {
    const { message } = toTransportError(thrown, 'TLS');
    const text = `the credential for ${credential.domains.join(', ')} cannot be used for TLS: ${message}`;
    // Without the cause: nothing that was made from the bytes of a key leaves this function.
    throw new TransportError('XMPP_BAD_CREDENTIAL', text);
  }
}
