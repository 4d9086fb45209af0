import { escapeAttribute, type Stanza } from '@stanzaport/core';
import { bareOf, formatJid, parseJid } from '../jid.ts';
import type { Resource } from './resource.ts';
import type { Resources } from './resources.ts';
import { errorOf, type StanzaErrorCondition, stamped } from './stanza-reply.ts';

/** Presence between the resources of one account, and directed presence (RFC 6121 §4). Nobody has a roster here. */
export class Presence {
  readonly #resources: Resources;

  constructor(resources: Resources) {
    this.#resources = resources;
  }

  handle(sender: Resource, stanza: Stanza): void {
    const { type, to } = stanza;
    if (type === 'probe' || type === 'error') return;
    if (type !== undefined && type !== 'unavailable') refuse(sender, stanza, 'feature-not-implemented');
    else if (to !== undefined) this.#direct(sender, stanza, to);
    else if (type === 'unavailable') this.#leave(sender, stamped(stanza, sender.jid));
    else this.#announce(sender, stanza);
  }

  /** The stream has ended; whoever knew that `resource` was here is told (RFC 6121 §4.5.2). */
  left(resource: Resource): void {
    if (resource.presence === null && resource.directed.size === 0) return;
    this.#leave(resource, `<presence type='unavailable' from='${escapeAttribute(resource.jid)}'/>`);
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

  #leave(sender: Resource, text: string): void {
    const audience = new Set(this.#resources.available(sender.bare));
    for (const address of sender.directed) for (const other of this.#at(address)) audience.add(other);
    audience.delete(sender);
    sender.presence = null;
    sender.forgetDirected();
    for (const other of audience) other.deliver(text);
  }

  #direct(sender: Resource, stanza: Stanza, to: string): void {
    const address = parseJid(to);
    if (address === null) return refuse(sender, stanza, 'jid-malformed');
    const known = formatJid(address);
    if (stanza.type === 'unavailable') sender.forgetDirected(known);
    else if (!sender.rememberDirected(known)) return refuse(sender, stanza, 'resource-constraint');
    for (const other of this.#at(known)) other.deliver(stamped(stanza, sender.jid));
  }

  /** Whom presence sent to `address` reaches; nobody else learns whether it exists (RFC 6121 §8.5). */
  #at(address: string): Resource[] {
    const jid = parseJid(address);
    if (jid === null) return [];
    if (jid.resource === null) return this.#resources.available(bareOf(jid));
    const found = this.#resources.find(bareOf(jid), jid.resource);
    return found === null ? [] : [found];
  }
}

function refuse(sender: Resource, stanza: Stanza, condition: StanzaErrorCondition): void {
  const error = errorOf(stanza, sender.jid, condition);
  if (error !== null) sender.deliver(error);
}

/** A whole number from -128 to 127, 0 where nothing or nonsense is given (RFC 6121 §4.7.2.3). */
function priorityOf({ element }: Stanza): number {
  const text = element.getChildText('priority') ?? '0';
  const priority = /^[+-]?\d{1,3}$/.test(text) ? Number(text) : 0;
  return priority >= -128 && priority <= 127 ? priority : 0;
}
