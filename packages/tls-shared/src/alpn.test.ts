import { describe, expect, test } from 'vitest';
import { kindOfAlpn, selectAlpn } from './alpn.ts';

describe('ALPN', () => {
  test.each([
    [['xmpp-client'], ['c2s'], 'xmpp-client'],
    [['http/1.1', 'xmpp-client'], ['c2s'], 'xmpp-client'],
    [['xmpp-client', 'xmpp-server'], ['s2s', 'c2s'], 'xmpp-server'],
    [['xmpp-server', 'xmpp-client'], ['c2s', 's2s'], 'xmpp-client'],
    [['xmpp-server'], ['c2s'], null],
    [['h2'], ['c2s', 's2s'], null],
    [['XMPP-CLIENT'], ['c2s'], null],
    [[], ['c2s'], null],
    [['xmpp-client'], [], null],
  ] as const)('[POL-03] offered %j to a listener for %j: %s', (offered, kinds, expected) => {
    expect(selectAlpn(offered, kinds)).toBe(expected);
  });

  test.each([
    ['xmpp-client', 'c2s'],
    ['xmpp-server', 's2s'],
    ['xmpp-client ', null],
    ['h3', null],
  ] as const)('[Q-11] %j is %s', (protocol, kind) => {
    expect(kindOfAlpn(protocol)).toBe(kind);
  });
});
