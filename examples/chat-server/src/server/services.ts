import type { Stanza } from '@stanzaport/core';
import xml, { type Element } from '@xmpp/xml';
import { NS } from '../namespaces.ts';
import { errorOf, resultOf } from './stanza-reply.ts';

const FEATURES = [NS.discoInfo, NS.ping, NS.roster];

/**
 * Answers an iq request to the server itself, or to the sender's own account.
 * @param own whether it was for the sender's account, where the roster is.
 */
export function serve(request: Stanza, to: string, own: boolean): Element | null {
  const [payload, ...rest] = request.element.getChildElements();
  // RFC 6120 §8.2.3: a request has an id and exactly one payload.
  if (request.id === undefined || payload === undefined || rest.length > 0) return errorOf(request, to, 'bad-request');
  const isGet = request.type === 'get';
  if (isGet && payload.is('ping', NS.ping)) return resultOf(request, to);
  if (isGet && payload.is('query', NS.discoInfo)) return resultOf(request, to, discoInfo(own));
  if (payload.is('query', NS.roster) && own) {
    return isGet ? resultOf(request, to, xml('query', { xmlns: NS.roster })) : errorOf(request, to, 'not-allowed');
  }
  if (payload.is('bind', NS.bind)) return errorOf(request, to, 'not-allowed');
  return errorOf(request, to, 'service-unavailable');
}

/** XEP-0030 §3.1. */
function discoInfo(own: boolean): Element {
  const identity = own ? { category: 'account', type: 'registered' } : { category: 'server', type: 'im' };
  const features = FEATURES.map((name) => xml('feature', { var: name }));
  return xml('query', { xmlns: NS.discoInfo }, xml('identity', identity), ...features);
}
