import type { ConnectionSecurity, Stanza } from '@stanzaport/core';
import xml, { type Element } from '@xmpp/xml';
import type { Jid } from '../jid.ts';
import { NS } from '../namespaces.ts';
import type { AccountStore } from './accounts.ts';
import { PlainServer } from './plain.ts';
import { failure, type SaslMechanism, type SaslStep } from './sasl-mechanism.ts';
import { ScramServer } from './scram.ts';

/** Attempts on one stream (RFC 6120 §6.4.5 recommends two to five). */
const MOST_ATTEMPTS = 3;

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** What to answer to an element of the SASL namespace. */
export interface SaslAnswer {
  readonly reply: Element;
  /** Who has just been authenticated. */
  readonly account: Jid | null;
  /** The client has failed so often that the stream is to end with `policy-violation`. */
  readonly exhausted: boolean;
}

/** The authentication of one stream (RFC 6120 §6), from the offer of mechanisms to success. */
export class SaslNegotiation {
  readonly #accounts: AccountStore;
  readonly #domain: string;
  readonly #security: ConnectionSecurity;
  #mechanism: SaslMechanism | null = null;
  #failures = 0;

  constructor(accounts: AccountStore, domain: string, security: ConnectionSecurity) {
    this.#accounts = accounts;
    this.#domain = domain;
    this.#security = security;
  }

  /** Elements for the stream features. */
  offer(): Element[] {
    const bindings = this.#security.channelBindings;
    const names = ['SCRAM-SHA-256', 'PLAIN'];
    if (bindings.length > 0) names.unshift('SCRAM-SHA-256-PLUS');
    const mechanisms = xml('mechanisms', { xmlns: NS.sasl }, ...names.map((name) => xml('mechanism', {}, name)));
    if (bindings.length === 0) return [mechanisms];
    const types = bindings.map((type) => xml('channel-binding', { type }));
    return [mechanisms, xml('sasl-channel-binding', { xmlns: NS.saslChannelBinding }, ...types)];
  }

  /** @returns null for an element that has no place in an authentication. */
  async handle({ name, element, attributes }: Stanza): Promise<SaslAnswer | null> {
    switch (name) {
      case 'auth':
        return this.#answer(await this.#start(attributes.mechanism ?? '', element.text()));
      case 'response':
        return this.#answer(await this.#continue(element.text()));
      case 'abort':
        return this.#answer(failure('aborted'));
      default:
        return null;
    }
  }

  async #start(name: string, initialResponse: string): Promise<SaslStep> {
    this.#mechanism = this.#create(name);
    if (this.#mechanism === null) return failure('invalid-mechanism');
    // Both mechanisms begin with the client: without an initial response it is asked for one (RFC 6120 §6.4.2).
    if (initialResponse === '') return { type: 'challenge', data: new Uint8Array() };
    return this.#continue(initialResponse);
  }

  async #continue(text: string): Promise<SaslStep> {
    if (this.#mechanism === null) return failure('malformed-request');
    // A single `=` stands for an empty response.
    if (text !== '=' && !BASE64.test(text)) return failure('incorrect-encoding');
    return this.#mechanism.step(text === '=' ? new Uint8Array() : Buffer.from(text, 'base64'));
  }

  #create(name: string): SaslMechanism | null {
    const plusOffered = this.#security.channelBindings.length > 0;
    if (name === 'PLAIN') return new PlainServer(this.#accounts, this.#domain);
    if (name !== 'SCRAM-SHA-256' && !(plusOffered && name === 'SCRAM-SHA-256-PLUS')) return null;
    return new ScramServer(this.#accounts, {
      domain: this.#domain,
      plus: name === 'SCRAM-SHA-256-PLUS',
      plusOffered,
      channelBinding: (type) => this.#security.channelBinding(type),
    });
  }

  #answer(step: SaslStep): SaslAnswer {
    switch (step.type) {
      case 'challenge':
        return { reply: sasl('challenge', encode(step.data)), account: null, exhausted: false };
      case 'success':
        this.#mechanism = null;
        return {
          reply: sasl('success', step.data === null ? '' : encode(step.data)),
          account: step.account,
          exhausted: false,
        };
      case 'failure':
        this.#mechanism = null;
        this.#failures += 1;
        return {
          reply: xml('failure', { xmlns: NS.sasl }, xml(step.condition)),
          account: null,
          exhausted: this.#failures >= MOST_ATTEMPTS,
        };
    }
  }
}

function sasl(name: string, text: string): Element {
  return xml(name, { xmlns: NS.sasl }, text);
}

function encode(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
