/** Names from the standards that server and client share. */
export const NS = {
  sasl: 'urn:ietf:params:xml:ns:xmpp-sasl',
  saslChannelBinding: 'urn:xmpp:sasl-cb:0',
  bind: 'urn:ietf:params:xml:ns:xmpp-bind',
  limits: 'urn:xmpp:stream-limits:0',
  stanzas: 'urn:ietf:params:xml:ns:xmpp-stanzas',
  roster: 'jabber:iq:roster',
  ping: 'urn:xmpp:ping',
  discoInfo: 'http://jabber.org/protocol/disco#info',
} as const;
