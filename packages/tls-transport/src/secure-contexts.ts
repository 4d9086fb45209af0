import { constants } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { TransportError, toTransportError } from '@stanzaport/core';
import type { Credential } from '@stanzaport/tls-shared';

/**
 * RFC 9325 for TLS over TCP: 1.2 and 1.3 (§3.1.1), forward-secret AEAD suites only (§4.2), signatures without SHA-1
 * (§4.2.1, RFC 9155), no compression (§3.3), no renegotiation (§3.5). There are no session tickets: nothing is resumed,
 * so that no ticket can outlive a trust decision, and there is no early data.
 */
const SETTINGS: SecureContextOptions = {
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  ciphers: [
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'TLS_AES_128_GCM_SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'ECDHE-RSA-CHACHA20-POLY1305',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
  ].join(':'),
  sigalgs: [
    'ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:ed448',
    'RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:RSA+SHA256:RSA+SHA384:RSA+SHA512',
  ].join(':'),
  secureOptions:
    constants.SSL_OP_CIPHER_SERVER_PREFERENCE |
    constants.SSL_OP_NO_COMPRESSION |
    constants.SSL_OP_NO_RENEGOTIATION |
    constants.SSL_OP_NO_TICKET,
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
