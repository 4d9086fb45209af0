import { Stanza } from '@stanzaport/core';
import xml from '@xmpp/xml';
import { bareOf, formatJid, type Jid, parseJid } from '../jid.ts';
import type { AccountStore } from './accounts.ts';
import type { Outside } from './outside.ts';
import type { Resource } from './resource.ts';
import type { Resources } from './resources.ts';
import type { Sender } from './sender.ts';
import { refuse, stamped, withAttributes } from './stanza-reply.ts';

/** What presence works with. */
export interface PresenceParts {
  readonly accounts: AccountStore;
  readonly resources: Resources;
  readonly outside: Outside;
}

/** Presence between the resources of one account, and directed presence (RFC 6121 §4). Nobody has a roster here. */
export class Presence {
  readonly #accounts: AccountStore;
  readonly #resources: Resources;
  readonly #outside: Outside;

  constructor({ accounts, resources, outside }: PresenceParts) {
    this.#accounts = accounts;
    this.#resources = resources;
    this.#outside = outside;
  }

  handle(sender: Resource, stanza: Stanza): void {
    const { type, to } = stanza;
    if (!isState(sender, stanza)) return;
    if (to !== undefined) this.#direct(sender, stanza, to);
    else if (type === 'unavailable') this.#leave(sender, stanza);
    else this.#announce(sender, stanza);
  }

  /** Presence that a user of another server directs to somebody here. */
  receive(sender: Sender, stanza: Stanza): void {
    const to = parseJid(stanza.to ?? '');
    if (isState(sender, stanza) && to !== null) this.#deliver(sender, stanza, to);
  }

  /** The stream has ended; whoever knew that `resource` was here is told (RFC 6121 §4.5.2). */
  left(resource: Resource): void {
    if (resource.presence === null && resource.directed.size === 0) return;
    this.#leave(resource, Stanza.of(xml('presence', { type: 'unavailable' })));
  }

  #announce(sender: Resource, stanza: Stanza): void {
    const isFirst = sender.presence === null;
    const text = stamped(stanza, sender.jid);
    sender.presence = text;
    sender.priority = priorityOf(stanza);
    for (const other of this.#resources.available(sender.bare)) {
      other.deliver(text);
      if (isFirst && other !== sender && other.presence !== null) sender.deliver(other.presence);
    }
  }

  #leave(sender: Resource, stanza: Stanza): void {
    const audience = new Set(this.#resources.available(sender.bare));
    for (const address of sender.directed) {
      const to = parseJid(address);
      if (to === null) continue;
      if (this.#accounts.serves(to.domain)) for (const other of this.#at(to)) audience.add(other);
      else this.#outside.send(sender, withAttributes(stanza, { to: address }), to);
    }
    audience.delete(sender);
    sender.presence = null;
    sender.forgetDirected();
    for (const other of audience) other.deliver(stamped(stanza, sender.jid));
  }

  #direct(sender: Resource, stanza: Stanza, address: string): void {
    const to = parseJid(address);
    if (to === null) return refuse(sender, stanza, 'jid-malformed');
    const known = formatJid(to);
    if (stanza.type === 'unavailable') sender.forgetDirected(known);
    else if (!sender.rememberDirected(known)) return refuse(sender, stanza, 'resource-constraint');
    if (this.#accounts.serves(to.domain)) this.#deliver(sender, stanza, to);
    else this.#outside.send(sender, stanza, to);
  }

  #deliver(sender: Sender, stanza: Stanza, to: Jid): void {
    for (const other of this.#at(to)) other.deliver(stamped(stanza, sender.jid));
  }

  /** Whom presence sent to `address` reaches; nobody else learns whether it exists (RFC 6121 §8.5). */
  #at(address: Jid): Resource[] {
    if (address.resource === null) return this.#resources.available(bareOf(address));
    const found = this.#resources.find(bareOf(address), address.resource);
    return found === null ? [] : [found];
  }
}

/** Whether it says available or unavailable; what asks for a subscription is refused. */
function isState(sender: Sender, stanza: Stanza): boolean {
  const { type } = stanza;
  if (type === undefined || type === 'unavailable') return true;
  if (type !== 'probe' && type !== 'error') refuse(sender, stanza, 'feature-not-implemented');
  return false;
}

/** A whole number from -128 to 127, 0 where nothing or nonsense is given (RFC 6121 §4.7.2.3). */
function priorityOf({ element }: Stanza): number {
  const text = element.getChildText('priority') ?? '0';
  const priority = /^[+-]?\d{1,3}$/.test(text) ? Number(text) : 0;
  return priority >= -128 && priority <= 127 ? priority : 0;
}
