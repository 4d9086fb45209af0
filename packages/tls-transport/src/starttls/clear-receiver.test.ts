import { DEFAULT_LIMITS, StreamError } from '@stanzaport/core';
import { describe, expect, test } from 'vitest';
import { ClearReceiver } from './clear-receiver.ts';
import type { ClearStep } from './clear-step.ts';

const header = (namespace = 'jabber:client', to = 'capulet.example'): string =>
  `<?xml version='1.0'?><stream:stream to='${to}' version='1.0' xmlns='${namespace}' ` +
  "xmlns:stream='http://etherx.jabber.org/streams'>";
const HEADER = header();
const STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
const FEATURES =
  "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>";
const PROCEED = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

const create = (serves: (domain: string) => boolean = (domain) => domain === 'capulet.example'): ClearReceiver =>
  new ClearReceiver({ kinds: ['c2s', 's2s'], serves, limits: DEFAULT_LIMITS });

/** What is said in all, and the last step; the pieces behind the end are left out, as a socket does. */
function play(pieces: readonly string[], receiver: ClearReceiver = create()): { text: string; step: ClearStep } {
  let text = '';
  let step: ClearStep = { type: 'wait', text: '' };
  for (const piece of pieces) {
    step = receiver.receive(Buffer.from(piece));
    text += step.text;
    if (step.type !== 'wait') break;
  }
  return { text, step };
}

const halves = (document: string): string[][] =>
  Array.from(document, (_, at) => [document.slice(0, at), document.slice(at)]);

describe('receiving entity before TLS', () => {
  test('[STARTTLS-01] the features are exactly STARTTLS, required; the answer to <starttls/> is <proceed/>', () => {
    const { text, step } = play([HEADER, STARTTLS]);
    expect(text.slice(text.indexOf('<stream:features>'))).toBe(FEATURES + PROCEED);
    expect(text).toMatch(/^<\?xml version='1.0'\?><stream:stream [^>]*from='capulet.example'/);
    expect(step).toMatchObject({ type: 'secure', agreed: { kind: 'c2s', domain: 'capulet.example' } });
  });

  test('[STARTTLS-05] every stream before TLS has an id of its own', () => {
    const ids = [1, 2, 3].map(() => / id='([^']+)'/.exec(play([HEADER]).text)?.[1]);
    expect(new Set(ids).size).toBe(3);
  });

  test.each([
    ['c2s', 'jabber:client'],
    ['s2s', 'jabber:server'],
  ])('[POL-04] %s is told by the content namespace %s', (kind, namespace) => {
    expect(play([header(namespace), STARTTLS]).step).toMatchObject({ agreed: { kind } });
  });

  const refused = [
    ["<message to='a'><body>x</body></message>", 'not-authorized'],
    ['<presence/>', 'not-authorized'],
    ["<iq type='get' id='1'/>", 'not-authorized'],
    ["<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>", 'policy-violation'],
    ["<starttls xmlns='urn:example:other'/>", 'policy-violation'],
    ["<compress xmlns='http://jabber.org/protocol/compress'/>", 'policy-violation'],
    ['<a></b>', 'not-well-formed'],
    ['<!-- c -->', 'restricted-xml'],
    ['text', 'bad-format'],
    [`<x>${'y'.repeat(70 * 1_024)}</x>`, 'policy-violation'],
    [' '.repeat(10 * 1_024 * 1_024), 'policy-violation'],
  ] as const;
  for (const [sent, condition] of refused) {
    test(`[STARTTLS-01] [STARTTLS-07] ${sent.trim().slice(0, 50) || 'white space'} gets ${condition}, closing tag, end`, () => {
      const { text, step } = play([HEADER, sent]);
      expect(step).toMatchObject({ type: 'end', error: { condition } });
      expect(text).toMatch(new RegExp(`</stream:features><stream:error><${condition} .*</stream:stream>$`, 's'));
    });
  }

  test.each(
    [
      [header('jabber:client', 'verona.example'), 'host-unknown'],
      [header('jabber:component:accept'), 'invalid-namespace'],
      [HEADER.replace("version='1.0' xmlns", 'xmlns'), 'unsupported-version'],
      [HEADER.replace("to='capulet.example' ", ''), 'improper-addressing'],
      [`${HEADER.slice(0, -1)} xmlns:x='${'x'.repeat(8_192)}'>`, 'policy-violation'],
      ['GET / HTTP/1.1\r\n', 'not-well-formed'],
    ].map(([sent = '', condition = '']) => [sent.slice(0, 60), condition, sent]),
  )('[STARTTLS-07] %j gets a header, %s, the closing tag and the end', (_title, condition, sent = '') => {
    const { text, step } = play([sent]);
    expect(step).toMatchObject({ type: 'end', error: { condition } });
    expect(text).toMatch(/^<\?xml version='1.0'\?><stream:stream /);
    expect(text).toMatch(new RegExp(`<stream:error><${condition} .*</stream:stream>$`, 's'));
    expect(text).not.toContain("from='verona.example'");
  });

  test('[STARTTLS-06] a domain whose credential has gone gets <failure/> and the closing tag', () => {
    let serves = true;
    const receiver = create(() => serves);
    expect(play([HEADER], receiver).step.type).toBe('wait');
    serves = false;
    const { text, step } = play([STARTTLS], receiver);
    expect(text).toBe("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>");
    expect(step).toMatchObject({ type: 'end', error: { category: 'tls' } });
  });

  test('[STARTTLS-06] a closing tag is answered by ours, a stream error is taken', () => {
    expect(play([HEADER, '</stream:stream>'])).toMatchObject({
      text: expect.stringMatching(/<\/stream:stream>$/),
      step: { type: 'end', error: { category: 'peer-closed' } },
    });
    const error = "<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>";
    const { step } = play([HEADER, error]);
    expect(step).toMatchObject({ type: 'end', error: { category: 'peer-error' } });
    expect((step as { error: unknown }).error).toBeInstanceOf(StreamError);
  });
});

describe('bytes behind <starttls/>', () => {
  const good = [
    STARTTLS,
    `${STARTTLS}\r\n`,
    `${STARTTLS}  \n\t`,
    "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'></starttls>",
  ];
  for (const document of good) {
    test(`[STARTTLS-03] ${JSON.stringify(document)} is agreed to, wherever it is split`, () => {
      for (const pieces of halves(HEADER + document)) {
        const { text, step } = play(pieces);
        expect(step.type).toBe('secure');
        expect(text.endsWith(FEATURES + PROCEED)).toBe(true);
      }
    });
  }

  const bad = [
    '<message/>',
    "<message to='a'><body>injected</body></message>",
    '<',
    'x',
    '</stream:stream>',
    "<?xml version='1.0'?>",
    `${HEADER}<message/>`,
    STARTTLS,
    '\u0016\u0003\u0001\u0002\u0000\u0001',
    '\u00c3',
    ' \n<',
  ];
  for (const behind of bad) {
    test(`[STARTTLS-03] ${JSON.stringify(behind)} with it ends without TLS and without a word`, () => {
      const { text, step } = play([HEADER, STARTTLS + behind]);
      expect(step).toMatchObject({ type: 'end', text: '', error: { category: 'protocol' } });
      expect(text).not.toContain('<proceed');
    });
  }

  test('[STARTTLS-03] no byte of a multibyte character goes unseen, whole or cut', () => {
    for (const behind of [Buffer.from([0xc3]), Buffer.from([0xe2, 0x82]), Buffer.from([0xff])]) {
      const receiver = create();
      receiver.receive(Buffer.from(HEADER));
      const step = receiver.receive(Buffer.concat([Buffer.from(STARTTLS), behind]));
      expect(step).toMatchObject({ type: 'end', text: '' });
    }
  });

  test('[STARTTLS-03] split anywhere, what follows never leads to <proceed/> in the same piece', () => {
    const document = `${HEADER}${STARTTLS}<message/>`;
    for (const pieces of halves(document)) {
      const { step } = play(pieces);
      const endsAtStarttls = (pieces[0] ?? '').endsWith(STARTTLS);
      expect(step.type).toBe(endsAtStarttls ? 'secure' : 'end');
    }
  });
});
