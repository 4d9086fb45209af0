import { DEFAULT_LIMITS } from '@stanzaport/core';
import { describe, expect, test } from 'vitest';
import { ClearInitiator } from './clear-initiator.ts';
import type { ClearStep } from './clear-step.ts';

const HEADER =
  "<?xml version='1.0'?><stream:stream from='capulet.example' id='1' version='1.0' xmlns='jabber:client' " +
  "xmlns:stream='http://etherx.jabber.org/streams'>";
const TLS = "xmlns='urn:ietf:params:xml:ns:xmpp-tls'";
const FEATURES = `<stream:features><starttls ${TLS}><required/></starttls></stream:features>`;
const STARTTLS = `<starttls ${TLS}/>`;
const PROCEED = `<proceed ${TLS}/>`;
const streamError = (condition: string): string =>
  `<stream:error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>`;

const create = (): ClearInitiator =>
  new ClearInitiator({
    kind: 'c2s',
    domain: 'capulet.example',
    localDomain: null,
    peer: 'capulet.example (192.0.2.1 port 5222)',
    limits: DEFAULT_LIMITS,
  });

function play(pieces: readonly string[]): { text: string; step: ClearStep } {
  const initiator = create();
  let text = '';
  let step: ClearStep = { type: 'wait', text: '' };
  for (const piece of pieces) {
    step = initiator.receive(Buffer.from(piece));
    text += step.text;
    if (step.type !== 'wait') break;
  }
  return { text, step };
}

describe('initiating entity before TLS', () => {
  test('[STARTTLS-05] a client says where it wants to go, and not who it is', () => {
    expect(create().start()).toBe(
      "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' " +
        "to='capulet.example' version='1.0'>",
    );
  });

  test('[STARTTLS-05] a server says who it is', () => {
    const options = { kind: 's2s', domain: 'capulet.example', localDomain: 'montague.example', peer: 'x' } as const;
    expect(new ClearInitiator({ ...options, limits: DEFAULT_LIMITS }).start()).toContain(" from='montague.example' ");
  });

  for (const features of [
    FEATURES,
    '<stream:features/>',
    "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms></stream:features>",
  ]) {
    test(`[STARTTLS-02] ${features.slice(0, 60)} is answered by <starttls/>, <proceed/> leads to TLS, wherever it is split`, () => {
      const document = HEADER + features + PROCEED;
      for (let at = 0; at < document.length; at += 1) {
        const { text, step } = play([document.slice(0, at), document.slice(at)]);
        expect(text).toBe(STARTTLS);
        expect(step).toMatchObject({ type: 'secure', agreed: { kind: 'c2s', domain: 'capulet.example' } });
      }
    });
  }

  test.each(
    [
      [`<failure ${TLS}/></stream:stream>`, 'tls'],
      [streamError('policy-violation'), 'tls'],
      [streamError('host-unknown'), 'tls'],
      [streamError('invalid-namespace'), 'alpn'],
      ["<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", 'tls'],
      [FEATURES, 'tls'],
      ["<proceed xmlns='urn:example:other'/>", 'tls'],
      ['<message/>', 'tls'],
      ['</stream:stream>', 'tls'],
      ['<a></b>', 'protocol'],
      [`<x>${'y'.repeat(140_000)}</x>`, 'protocol'],
      [' '.repeat(200_000), 'protocol'],
    ].map(([answer = '', category]) => [answer.slice(0, 60), category, answer]),
  )(
    '[STARTTLS-02] [STARTTLS-07] %j instead of <proceed/> is %s, and nothing is said',
    (_title, category, answer = '') => {
      const { text, step } = play([HEADER + FEATURES, answer]);
      expect(step).toMatchObject({ type: 'end', text: '', error: { category } });
      expect(text).toBe(STARTTLS);
      expect((step as { error: Error }).error.message).toContain('capulet.example (192.0.2.1 port 5222)');
    },
  );

  test.each([
    [HEADER.replace('capulet', 'verona'), 'protocol'],
    [HEADER.replace("version='1.0' xmlns", 'xmlns'), 'protocol'],
    [HEADER.replace('jabber:client', 'jabber:server'), 'alpn'],
    [HEADER + streamError('host-unknown'), 'tls'],
    [HEADER + PROCEED, 'tls'],
    ['SSH-2.0-OpenSSH\r\n', 'protocol'],
  ])('[STARTTLS-02] %j before the features is %s', (sent, category) => {
    const { text, step } = play([sent]);
    expect(step).toMatchObject({ type: 'end', error: { category } });
    expect(text).toBe('');
  });
});

describe('bytes behind <proceed/>', () => {
  for (const behind of [FEATURES, '<message/>', ' ', '\r\n', '<', 'x', '</stream:stream>', '\u0016\u0003\u0003']) {
    test(`[STARTTLS-04] ${JSON.stringify(behind)} with it is protocol, and TLS does not begin`, () => {
      const document = HEADER + FEATURES + PROCEED + behind;
      for (let at = 0; at < document.length; at += 1) {
        const isAtBorder = at === document.length - behind.length;
        const { step } = play([document.slice(0, at), document.slice(at)]);
        // What comes in a piece of its own is read by TLS, which does not take it for a record.
        if (isAtBorder) expect(step.type).toBe('secure');
        else expect(step).toMatchObject({ type: 'end', error: { category: 'protocol' } });
      }
    });
  }
});
