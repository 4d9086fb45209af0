import { randomBytes } from 'node:crypto';
import {
  type Logger,
  normalizeDomain,
  type Stanza,
  type StanzaStream,
  StreamError,
  type StreamErrorCondition,
  type StreamHeader,
} from '@stanzaport/core';
import xml from '@xmpp/xml';
import { bareOf, isResource, type Jid } from '../jid.ts';
import { NS } from '../namespaces.ts';
import type { AccountStore } from './accounts.ts';
import type { Presence } from './presence.ts';
import { Resource } from './resource.ts';
import type { Resources } from './resources.ts';
import type { Router } from './router.ts';
import { runStream } from './run-stream.ts';
import { SaslNegotiation } from './sasl.ts';
import type { ServedStream } from './served-stream.ts';
import { errorOf, resultOf } from './stanza-reply.ts';

/** What all sessions share. */
export interface SessionParts {
  readonly accounts: AccountStore;
  readonly resources: Resources;
  readonly presence: Presence;
  readonly router: Router;
  readonly logger: Logger;
}

type State =
  | { readonly phase: 'new' }
  | { readonly phase: 'authenticating'; readonly sasl: SaslNegotiation }
  | { readonly phase: 'binding'; readonly account: Jid }
  | { readonly phase: 'bound'; readonly resource: Resource };

/** One stream of a client, from its header to its end (RFC 6120 §4 to §7). */
export class Session implements ServedStream {
  readonly #stream: StanzaStream;
  readonly #parts: SessionParts;
  #state: State = { phase: 'new' };

  constructor(stream: StanzaStream, parts: SessionParts) {
    this.#stream = stream;
    this.#parts = parts;
  }

  /** Resolves when the stream has ended; never rejects. */
  async run(): Promise<void> {
    await runStream(this.#stream, this.#parts.logger, async (event) => {
      if (event.type === 'header') this.#onHeader(event.header);
      else if (event.type === 'stanza') await this.#onElement(event.stanza);
    });
    if (this.#state.phase === 'bound') this.#leave(this.#state.resource);
    await this.#stream.close();
  }

  end(condition: StreamErrorCondition): void {
    this.#stream.abort(new StreamError(condition));
  }

  #onHeader({ to = '' }: StreamHeader): void {
    const { accounts } = this.#parts;
    const domain = normalizeDomain(to);
    if (domain === null || !accounts.serves(domain)) {
      // The answer must not claim a host that is not ours (RFC 6120 §4.9.1.3).
      this.#stream.sendHeader({ from: '' });
      return this.end('host-unknown');
    }
    this.#stream.sendHeader();
    if (this.#state.phase === 'binding') {
      this.#stream.send(xml('stream:features', {}, xml('bind', { xmlns: NS.bind })));
      return;
    }
    const sasl = new SaslNegotiation(accounts, domain, this.#stream.connection.security);
    this.#state = { phase: 'authenticating', sasl };
    this.#stream.send(xml('stream:features', {}, ...sasl.offer()));
  }

  async #onElement(stanza: Stanza): Promise<void> {
    const state = this.#state;
    switch (state.phase) {
      case 'new':
        return;
      case 'authenticating':
        return this.#authenticate(state.sasl, stanza);
      case 'binding':
        return this.#bind(state.account, stanza);
      case 'bound':
        return this.#route(state.resource, stanza);
    }
  }

  async #authenticate(sasl: SaslNegotiation, stanza: Stanza): Promise<void> {
    const answer = stanza.namespace === NS.sasl ? await sasl.handle(stanza) : null;
    if (answer === null) return this.end('unsupported-stanza-type');
    this.#stream.send(answer.reply);
    if (answer.exhausted) return this.end('policy-violation');
    if (answer.account === null) return;
    this.#parts.logger.info({ account: bareOf(answer.account), streamId: this.#stream.id }, 'authenticated');
    this.#state = { phase: 'binding', account: answer.account };
    this.#stream.markAuthenticated();
    this.#stream.restart();
  }

  #bind(account: Jid, stanza: Stanza): void {
    const bind = stanza.name === 'iq' && stanza.type === 'set' ? stanza.element.getChild('bind', NS.bind) : undefined;
    // Nothing else may be sent before the resource is bound (RFC 6120 §7.1).
    if (bind === undefined) return this.end('not-authorized');
    const { resources, presence } = this.#parts;
    const name = bind.getChildText('resource') || randomBytes(9).toString('base64url');
    const resource = new Resource(this.#stream, account, name.normalize('NFC'));
    if (stanza.id === undefined || !isResource(resource.name)) return this.#answer(errorOf(stanza, '', 'bad-request'));
    const replaced = resources.bind(resource);
    if (replaced === 'full') return this.#answer(errorOf(stanza, '', 'resource-constraint'));
    if (replaced !== null) {
      presence.left(replaced);
      replaced.supersede();
    }
    this.#state = { phase: 'bound', resource };
    this.#answer(resultOf(stanza, resource.jid, xml('bind', { xmlns: NS.bind }, xml('jid', {}, resource.jid))));
  }

  #route(resource: Resource, stanza: Stanza): void {
    const { name, namespace, prefix, from } = stanza;
    if (namespace !== 'jabber:client' || !['message', 'presence', 'iq'].includes(name)) {
      return this.end('unsupported-stanza-type');
    }
    // The content namespace has no prefix (RFC 6120 §4.8.5); a stanza with one could not be sent on as it is.
    if (prefix !== '') return this.end('bad-namespace-prefix');
    if (from !== undefined && from !== resource.jid && from !== resource.bare) return this.end('invalid-from');
    this.#parts.router.route(resource, stanza);
  }

  #answer(reply: ReturnType<typeof errorOf>): void {
    if (reply !== null) this.#stream.send(reply);
  }

  #leave(resource: Resource): void {
    this.#parts.resources.unbind(resource);
    this.#parts.presence.left(resource);
  }
}
