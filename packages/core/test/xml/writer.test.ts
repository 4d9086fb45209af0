import xml, { Element } from '@xmpp/xml';
import { describe, expect, test } from 'vitest';
import { TransportError } from '../../src/errors.ts';
import { StreamError } from '../../src/stream-error.ts';
import {
  escapeAttribute,
  escapeText,
  STREAM_END,
  writeElement,
  writeHeader,
  writeStreamError,
} from '../../src/xml/writer.ts';
import { HEADER, read, record } from './record.ts';

const codeOf = (action: () => unknown): string => {
  try {
    action();
  } catch (thrown) {
    return thrown instanceof TransportError ? thrown.code : String(thrown);
  }
  return 'none';
};

const ALLOWED = `\t\n\r !"#$%&'()<>]]>\u007f\u0085é\ud7ff\ue000\ufeff\ufffd\u{10000}\u{10ffff}`;
const FORBIDDEN = ['\u0000', '\u0008', '\u000b', '\u001f', '\ufffe', '\uffff', '\ud800', '\udc00', 'x\ud83d'];

describe('escaping', () => {
  test('[XML-21] text and attribute values come back exactly, and CDATA is never used', () => {
    const { stanzas, events, reader } = record();
    const text = `${ALLOWED}<![CDATA[x]]>`;
    const attribute = escapeAttribute(text);
    reader.feed(Buffer.from(`${HEADER}<a b='${attribute}' c="${attribute}">${escapeText(text)}</a>`));
    expect(events.at(-1)?.type).toBe('stanza');
    expect(stanzas[0]?.attributes.b).toBe(text);
    expect(stanzas[0]?.attributes.c).toBe(text);
    expect(stanzas[0]?.element.getText()).toBe(text);
    expect(stanzas[0]?.source).not.toContain('<![CDATA[');
  });

  test('[XML-21] what needs no escape is given back as it is', () => {
    expect(escapeText(`it's "fine"\n`)).toBe(`it's "fine"\n`);
    expect(escapeAttribute('plain')).toBe('plain');
  });

  for (const forbidden of FORBIDDEN) {
    test(`[XML-13] ${JSON.stringify(forbidden)} is refused: XML cannot carry it`, () => {
      expect(codeOf(() => escapeText(forbidden))).toBe('XMPP_BAD_OPTION');
      expect(codeOf(() => escapeAttribute(forbidden))).toBe('XMPP_BAD_OPTION');
      expect(codeOf(() => writeElement(xml('a', {}, forbidden)))).toBe('XMPP_BAD_OPTION');
      expect(codeOf(() => writeElement(xml('a', { b: forbidden })))).toBe('XMPP_BAD_OPTION');
    });
  }
});

describe('stream header and end', () => {
  test('[XML-03] the header has the prefix stream, and is read back as it was meant', () => {
    const header = {
      namespace: 'jabber:client',
      from: `j&r@a.example`,
      to: `'<>"`,
      id: '1',
      version: '1.0',
      lang: 'en',
    };
    const text = writeHeader(header);
    expect(text).toMatch(/^<\?xml version='1\.0'\?><stream:stream /);
    expect(read([text, STREAM_END])).toEqual([{ type: 'header', header }, { type: 'end' }]);
  });

  test('[XML-03] what is absent is left out', () => {
    expect(writeHeader({ namespace: 'jabber:server', to: 'a.example' })).toBe(
      `<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' to='a.example'>`,
    );
  });

  test('[XML-12] no byte order mark is written', () => {
    expect(Buffer.from(writeHeader({ namespace: 'jabber:client' }))[0]).toBe(0x3c);
  });
});

describe('stream errors', () => {
  const conditions = 'urn:ietf:params:xml:ns:xmpp-streams';

  test('[XML-15] condition, text and application condition (RFC 6120 §4.9.2)', () => {
    const error = new StreamError('policy-violation', {
      text: 'a <big> one',
      applicationCondition: { name: 'stanza-too-big', namespace: 'urn:xmpp:errors' },
    });
    expect(writeStreamError(error)).toBe(
      `<stream:error><policy-violation xmlns='${conditions}'/>` +
        `<text xmlns='${conditions}' xml:lang='en'>a &lt;big&gt; one</text>` +
        `<stanza-too-big xmlns='urn:xmpp:errors'/></stream:error>`,
    );
  });

  test('[XML-09] the condition alone', () => {
    expect(writeStreamError(new StreamError('conflict'))).toBe(
      `<stream:error><conflict xmlns='${conditions}'/></stream:error>`,
    );
  });

  test('[XML-09] what XML cannot carry is replaced: an error can always be told', () => {
    const text = writeStreamError(
      new StreamError('undefined-condition', {
        text: 'a\u0000b\ud800',
        applicationCondition: { name: 'no name', namespace: '\u0001' },
      }),
    );
    expect(text).toContain('a\ufffdb\ufffd');
    expect(read([HEADER, text]).at(-1)?.type).toBe('stanza');
  });
});

describe('elements', () => {
  test('[XML-14] attributes, text, numbers, and what is absent', () => {
    const element = xml('a', { b: 1, c: undefined, d: null, e: true }, 'x', xml('f'), xml('g', {}, ''));
    element.append(7 as never);
    element.children.push(undefined as never);
    expect(writeElement(element)).toBe(`<a b='1' e='true'>x<f/><g/>7</a>`);
  });

  for (const [name, element] of [
    ['an empty name', new Element('')],
    ['a name with a space', new Element('a b')],
    ['a name that opens a tag', new Element('a><b')],
    ['a name that begins with a digit', new Element('1a')],
    ['a name with two colons', new Element('stream:b:c')],
    ['an attribute name with an equals sign', new Element('a', { "b='' c": '1' })],
    ['a bad name deep inside', xml('a', {}, xml('b', {}, new Element('<')))],
    ['an undeclared prefix', new Element('x:a')],
    ['an undeclared prefix of an attribute', new Element('a', { 'x:b': '1' })],
    ['a prefix declared elsewhere', xml('a', {}, xml('b', { 'xmlns:x': 'urn:x' }), new Element('x:c'))],
    ['a prefix bound to nothing', new Element('x:a', { 'xmlns:x': '' })],
  ] as const) {
    test(`[XML-13] refused with XMPP_BAD_OPTION: ${name}`, () => {
      expect(codeOf(() => writeElement(element))).toBe('XMPP_BAD_OPTION');
    });
  }

  test('[XML-14] declared prefixes, xml and stream are good', () => {
    const element = xml('x:a', { 'xmlns:x': 'urn:x', 'xml:lang': 'de' }, xml('x:b'), xml('stream:c'));
    expect(writeElement(element)).toBe(`<x:a xmlns:x='urn:x' xml:lang='de'><x:b/><stream:c/></x:a>`);
  });
});
