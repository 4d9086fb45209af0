import { type StanzaStream, StreamError, TransportError } from '@stanzaport/core';
import type { Element } from '@xmpp/xml';
import { bareOf, formatJid, type Jid } from '../jid.ts';
import type { Sender } from './sender.ts';

/** Addresses to which one resource may have sent directed presence. */
const MOST_DIRECTED = 256;

/** A connected resource: one bound stream (RFC 6120 §7). */
export class Resource implements Sender {
  readonly jid: string;
  readonly bare: string;
  readonly name: string;
  /** Text of the last available presence, null while unavailable (RFC 6121 §4.1). */
  presence: string | null = null;
  /** Meaningful while available (RFC 6121 §4.7.2.3). */
  priority = 0;
  readonly #stream: StanzaStream;
  readonly #directed = new Set<string>();

  constructor(stream: StanzaStream, account: Jid, name: string) {
    this.#stream = stream;
    this.name = name;
    this.bare = bareOf(account);
    this.jid = formatJid({ ...account, resource: name });
  }

  /** Addresses that shall hear when this resource becomes unavailable (RFC 6121 §4.6.3). */
  get directed(): ReadonlySet<string> {
    return this.#directed;
  }

  /**
   * A stream whose send queue is full ends by itself, so that one slow reader costs no more than that queue.
   * @returns false when the stream has ended.
   */
  deliver(stanza: Element | string): boolean {
    try {
      this.#stream.send(stanza);
      return true;
    } catch (thrown) {
      if (thrown instanceof TransportError) return false;
      throw thrown;
    }
  }

  /** @returns false when there are too many of them. */
  rememberDirected(to: string): boolean {
    if (this.#directed.size >= MOST_DIRECTED && !this.#directed.has(to)) return false;
    this.#directed.add(to);
    return true;
  }

  forgetDirected(to?: string): void {
    if (to === undefined) this.#directed.clear();
    else this.#directed.delete(to);
  }

  /** Another stream has taken this address (RFC 6120 §7.7.2.2). */
  supersede(): void {
    this.#stream.abort(new StreamError('conflict', { text: 'another stream has bound this resource' }));
  }
}
