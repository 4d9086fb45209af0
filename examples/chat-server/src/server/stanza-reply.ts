import { escapeAttribute, Stanza } from '@stanzaport/core';
import xml, { type Element } from '@xmpp/xml';
import { NS } from '../namespaces.ts';
import type { Sender } from './sender.ts';

/** The stanza error conditions this server uses, each with its type (RFC 6120 §8.3.2, §8.3.3). */
const ERROR_TYPES = {
  'bad-request': 'modify',
  'feature-not-implemented': 'cancel',
  'jid-malformed': 'modify',
  'not-allowed': 'cancel',
  'policy-violation': 'modify',
  'remote-server-not-found': 'cancel',
  'remote-server-timeout': 'wait',
  'resource-constraint': 'wait',
  'service-unavailable': 'cancel',
} as const;

export type StanzaErrorCondition = keyof typeof ERROR_TYPES;

/** The result of an iq, with `payload` in it. */
export function resultOf(request: Stanza, to: string, payload?: Element): Element {
  return xml(
    'iq',
    { type: 'result', id: request.id, from: request.to, to },
    ...(payload === undefined ? [] : [payload]),
  );
}

/**
 * The error that answers `stanza`, sent to `to`.
 * @returns null where no answer is due: errors and results are never answered (RFC 6120 §8.3.1).
 */
export function errorOf(stanza: Stanza, to: string, condition: StanzaErrorCondition): Element | null {
  if (stanza.type === 'error' || (stanza.name === 'iq' && stanza.type === 'result')) return null;
  const error = xml('error', { type: ERROR_TYPES[condition] }, xml(condition, { xmlns: NS.stanzas }));
  return xml(stanza.name, { type: 'error', id: stanza.id, from: stanza.to, to }, error);
}

/** Answers `stanza` with an error, where one is due. */
export function refuse(sender: Sender, stanza: Stanza, condition: StanzaErrorCondition): void {
  const error = errorOf(stanza, sender.jid, condition);
  if (error !== null) sender.deliver(error);
}

/**
 * The text of `stanza` as others shall see it: with `from`, whatever the sender wrote there (RFC 6120 §8.1.2.1). The
 * usual stanza has none, and pays no element tree for it.
 * @param contentNamespace of the stream it is for.
 */
export function stamped(stanza: Stanza, from: string, contentNamespace = 'jabber:client'): string {
  if (stanza.from === from) return stanza.sourceIn(contentNamespace);
  if (stanza.from !== undefined) return withAttributes(stanza, { from }).sourceIn(contentNamespace);
  const source = stanza.sourceIn(contentNamespace);
  const end = 1 + stanza.name.length;
  return `${source.slice(0, end)} from='${escapeAttribute(from)}'${source.slice(end)}`;
}

/** `stanza` with these attributes instead of its own. */
export function withAttributes(stanza: Stanza, attributes: { readonly from?: string; readonly to?: string }): Stanza {
  const { element } = stanza;
  const copy = xml(element.name, { ...element.attrs, ...attributes }, ...element.children);
  return Stanza.of(copy);
}
