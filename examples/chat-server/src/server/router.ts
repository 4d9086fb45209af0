import type { Stanza } from '@stanzaport/core';
import type { Element } from '@xmpp/xml';
import { bareOf, type Jid, parseJid } from '../jid.ts';
import type { AccountStore } from './accounts.ts';
import type { Outside } from './outside.ts';
import type { Presence } from './presence.ts';
import type { Resource } from './resource.ts';
import type { Resources } from './resources.ts';
import type { Sender } from './sender.ts';
import { serve } from './services.ts';
import { refuse, stamped } from './stanza-reply.ts';

/** What a router works with. */
export interface RouterParts {
  readonly accounts: AccountStore;
  readonly resources: Resources;
  readonly presence: Presence;
  readonly outside: Outside;
}

/** Brings each stanza where it belongs (RFC 6120 §10, RFC 6121 §8). */
export class Router {
  readonly #accounts: AccountStore;
  readonly #resources: Resources;
  readonly #presence: Presence;
  readonly #outside: Outside;

  constructor({ accounts, resources, presence, outside }: RouterParts) {
    this.#accounts = accounts;
    this.#resources = resources;
    this.#presence = presence;
    this.#outside = outside;
  }

  /** `stanza` is a message, presence or iq of `sender`, whose `from` has been checked. */
  route(sender: Resource, stanza: Stanza): void {
    if (stanza.name === 'presence') return this.#presence.handle(sender, stanza);
    this.#routeTo(sender, stanza);
  }

  /** As {@link route}, of a user of another server; `to` is served here. */
  receive(sender: Sender, stanza: Stanza): void {
    if (stanza.name === 'presence') this.#presence.receive(sender, stanza);
    else this.#routeTo(sender, stanza);
  }

  #routeTo(sender: Sender, stanza: Stanza): void {
    // No `to` means the own account (RFC 6120 §10.3).
    const to = parseJid(stanza.to ?? sender.bare);
    if (to === null) return refuse(sender, stanza, 'jid-malformed');
    if (!this.#accounts.serves(to.domain)) return this.#outside.send(sender, stanza, to);
    if (stanza.name === 'iq') this.#routeIq(sender, stanza, to);
    else this.#routeMessage(sender, stanza, to);
  }

  #routeIq(sender: Sender, stanza: Stanza, to: Jid): void {
    const { type = '' } = stanza;
    if (!['get', 'set', 'result', 'error'].includes(type)) return refuse(sender, stanza, 'bad-request');
    if (to.resource !== null && to.local !== null) {
      const target = this.#resources.find(bareOf(to), to.resource);
      return target === null ? refuse(sender, stanza, 'service-unavailable') : forward(sender, stanza, [target]);
    }
    if (type === 'result' || type === 'error') return;
    const own = bareOf(to) === sender.bare;
    if (own || to.local === null) return answer(sender, serve(stanza, sender.jid, own));
    refuse(sender, stanza, 'service-unavailable');
  }

  #routeMessage(sender: Sender, stanza: Stanza, to: Jid): void {
    const bare = bareOf(to);
    const { type = 'normal' } = stanza;
    const exact = to.resource === null ? null : this.#resources.find(bare, to.resource);
    if (exact !== null) return forward(sender, stanza, [exact]);
    // RFC 6121 §8.5.3.2: to a resource that is not there, only a chat message goes to the others.
    const reachesOthers = to.resource === null ? type !== 'groupchat' : type === 'chat';
    const targets = reachesOthers && type !== 'error' ? this.#listening(bare) : [];
    if (targets.length > 0) forward(sender, stanza, targets);
    else if (type !== 'headline') refuse(sender, stanza, 'service-unavailable');
  }

  /** Resources that want messages to the bare JID: those of the highest priority, if that is not negative. */
  #listening(bare: string): Resource[] {
    const candidates = this.#resources.available(bare).filter(({ priority }) => priority >= 0);
    const highest = Math.max(...candidates.map(({ priority }) => priority));
    return candidates.filter(({ priority }) => priority === highest);
  }
}

function forward(sender: Sender, stanza: Stanza, targets: readonly Resource[]): void {
  const text = stamped(stanza, sender.jid);
  const delivered = targets.filter((target) => target.deliver(text));
  if (delivered.length === 0) refuse(sender, stanza, 'service-unavailable');
}

function answer(sender: Sender, reply: Element | null): void {
  if (reply !== null) sender.deliver(reply);
}
