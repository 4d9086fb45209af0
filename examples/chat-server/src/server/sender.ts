import type { Element } from '@xmpp/xml';

/** Whom a stanza is from, here or on another server, and who gets the answer to it. */
export interface Sender {
  /** As it stands in `from`. */
  readonly jid: string;
  readonly bare: string;
  /** @returns false when it cannot be delivered any more. */
  deliver(answer: Element): boolean;
}
