import type { Stanza } from '@stanzaport/core';
import type { Jid } from '../jid.ts';
import type { Sender } from './sender.ts';

/** The way to the users of other servers. */
export interface Outside {
  /**
   * Sends `stanza` to an address of a domain that is not served here. Where that cannot be done, `sender` gets the error,
   * now or later (RFC 6120 §10.4).
   */
  send(sender: Sender, stanza: Stanza, to: Jid): void;
}
