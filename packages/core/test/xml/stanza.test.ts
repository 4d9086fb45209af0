import xml, { type Element } from '@xmpp/xml';
import { describe, expect, test } from 'vitest';
import { Stanza } from '../../src/xml/stanza.ts';
import { writeElement } from '../../src/xml/writer.ts';
import { makeStream } from './documents.ts';
import { nodeFrom } from './oracle.ts';
import { HEADER, Random, record, STREAMS } from './record.ts';

/** The first-level elements of a stream with `header`. */
function stanzasOf(text: string, header = HEADER): Stanza[] {
  const { stanzas, events, reader } = record();
  reader.feed(Buffer.from(header + text));
  expect(events.at(-1)?.type).not.toBe('error');
  return stanzas;
}

function onlyStanza(text: string, header = HEADER): Stanza {
  const [stanza, ...others] = stanzasOf(text, header);
  expect(others).toEqual([]);
  return stanza as Stanza;
}

const meaningOf = (stanza: Stanza): string => JSON.stringify(nodeFrom(stanza.element));
const headerFor = (contentNamespace: string): string => HEADER.replace('jabber:client', contentNamespace);
/** A header that gives nothing: what stands alone means the same here. */
const BARE_HEADER = `<s:stream xmlns:s='${STREAMS}'>`;
const P_HEADER = HEADER.replace(' to', ` xmlns:x='urn:x' xmlns:y='urn:y' to`);

describe('what is there at once', () => {
  test('[XML-13] names, attributes and the exact source', () => {
    const source = `<message  to='j&apos;r' from="a"\n type='chat' id='1' xml:lang='de'><body/></message >`;
    const stanza = onlyStanza(source);
    expect(stanza.source).toBe(source);
    expect([stanza.name, stanza.prefix, stanza.namespace]).toEqual(['message', '', 'jabber:client']);
    expect([stanza.to, stanza.from, stanza.type, stanza.id]).toEqual([`j'r`, 'a', 'chat', '1']);
    expect({ ...stanza.attributes }).toEqual({ to: `j'r`, from: 'a', type: 'chat', id: '1', 'xml:lang': 'de' });
    expect(stanza.attributes).toBe(stanza.attributes);
  });

  test('[XML-13] attribute values and text are normalised as XML 1.0 §2.11 and §3.3.3 say', () => {
    const stanza = onlyStanza(`<a b='1\t2\r\n3\r4\n5&#10;6&#13;' c=" x ">1\r\n2\r3\n4&#13;5</a>`);
    expect(stanza.attributes.b).toBe('1 2 3 4 5\n6\r');
    expect(stanza.attributes.c).toBe(' x ');
    expect(stanza.element.getText()).toBe('1\n2\n3\n4\r5');
    expect(stanza.element.attrs.b).toBe('1 2 3 4 5\n6\r');
  });

  test('[XML-21] CDATA and references equal their text, and cut sections are one text', () => {
    const stanza = onlyStanza('<a>x<![CDATA[a<b]]>&amp;<![CDATA[]]>]]<![CDATA[]]]>&#x79;<b/>z</a>');
    expect(stanza.element.children).toHaveLength(3);
    expect(stanza.element.children[0]).toBe('xa<b&]]]y');
    expect(stanza.element.children[2]).toBe('z');
    expect(stanza.element.toString()).not.toContain('CDATA');
  });

  test('[XML-13] names that XML allows and programs stumble over', () => {
    const name = 'a\ufeff\u1680';
    const stanza = onlyStanza(`<${name} ${name} = '1'/>`);
    expect(stanza.name).toBe(name);
    expect(stanza.attributes[name]).toBe('1');
    expect(stanza.element.attrs[name]).toBe('1');
  });

  test('[XML-13] the tree is built once and has no parent', () => {
    const stanza = onlyStanza('<a><b><c/></b>t</a>');
    expect(stanza.element).toBe(stanza.element);
    expect(stanza.element.parent).toBeNull();
    const b = stanza.element.getChild('b') as Element;
    expect(b.parent).toBe(stanza.element);
    expect(b.getChild('c')?.root()).toBe(stanza.element);
  });
});

describe('standing alone', () => {
  for (const [source, standalone] of [
    ['<message/>', `<message xmlns='jabber:client'/>`],
    [`<message to='a'>x</message>`, `<message xmlns='jabber:client' to='a'>x</message>`],
    [`<r xmlns='urn:xmpp:sm:3'/>`, `<r xmlns='urn:xmpp:sm:3'/>`],
    ['<stream:features/>', `<stream:features xmlns:stream='${STREAMS}'/>`],
    [
      '<stream:features><a/></stream:features>',
      `<stream:features xmlns='jabber:client' xmlns:stream='${STREAMS}'><a/></stream:features>`,
    ],
    ['<iq><x:q/></iq>', `<iq xmlns='jabber:client' xmlns:x='urn:x'><x:q/></iq>`],
    [`<iq><q x:a=''/></iq>`, `<iq xmlns='jabber:client' xmlns:x='urn:x'><q x:a=''/></iq>`],
    [`<x:q/>`, `<x:q xmlns:x='urn:x'/>`],
    [`<x:q><x:r/><y:s/></x:q>`, `<x:q xmlns:x='urn:x' xmlns:y='urn:y'><x:r/><y:s/></x:q>`],
    [`<x:q xmlns:x='urn:own'/>`, `<x:q xmlns:x='urn:own'/>`],
    [`<x:q xmlns='urn:own'><a/></x:q>`, `<x:q xmlns:x='urn:x' xmlns='urn:own'><a/></x:q>`],
    [
      `<a xmlns='urn:a'><b xmlns:x='urn:own'><x:c/></b><x:d/></a>`,
      `<a xmlns:x='urn:x' xmlns='urn:a'><b xmlns:x='urn:own'><x:c/></b><x:d/></a>`,
    ],
    [`<x:q><a xmlns='urn:a'/></x:q>`, `<x:q xmlns:x='urn:x'><a xmlns='urn:a'/></x:q>`],
    [`<x:q><a xmlns='urn:a'/><b/></x:q>`, `<x:q xmlns='jabber:client' xmlns:x='urn:x'><a xmlns='urn:a'/><b/></x:q>`],
    [`<a xml:lang='de'/>`, `<a xmlns='jabber:client' xml:lang='de'/>`],
    [`<a xmlns=''><b/></a>`, `<a xmlns=''><b/></a>`],
  ] as const) {
    test(`[XML-14] ${source}`, () => {
      const stanza = onlyStanza(source, P_HEADER);
      expect(stanza.toString()).toBe(standalone);
      const again = onlyStanza(standalone, BARE_HEADER);
      expect(again.toString()).toBe(standalone);
      expect(nodeFrom(again.element)).toEqual(nodeFrom(stanza.element));
    });
  }

  test('[XML-14] the namespace of a header is escaped where it is repeated', () => {
    const stanza = onlyStanza('<a/>', HEADER.replace('jabber:client', `urn:&amp;&apos;"&lt;`));
    expect(stanza.namespace).toBe(`urn:&'"<`);
    expect(onlyStanza(stanza.toString(), BARE_HEADER).namespace).toBe(stanza.namespace);
  });

  test('[XML-14] every element of 1,500 made streams means the same alone, and as a tree written again', () => {
    const random = new Random(14);
    let compared = 0;
    for (let count = 0; count < 1_500; count++) {
      const { stanzas, reader } = record();
      reader.feed(Buffer.from(makeStream(random)));
      for (const stanza of stanzas) {
        const meaning = meaningOf(stanza);
        expect(meaningOf(onlyStanza(stanza.toString(), BARE_HEADER))).toBe(meaning);
        expect(meaningOf(onlyStanza(writeElement(stanza.element), BARE_HEADER))).toBe(meaning);
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(1_000);
  });
});

describe('on another stream', () => {
  for (const [source, inServer] of [
    ['<message/>', '<message/>'],
    [`<message xmlns='jabber:client'/>`, `<message xmlns='jabber:server'/>`],
    [`<message a=" xmlns='x'" xmlns = "jabber:client"/>`, `<message a=" xmlns='x'" xmlns = "jabber:server"/>`],
    [`<iq><x:q/></iq>`, `<iq xmlns:x='urn:x'><x:q/></iq>`],
    [`<iq xmlns='jabber:client'><x:q/></iq>`, `<iq xmlns:x='urn:x' xmlns='jabber:server'><x:q/></iq>`],
    [
      `<message><f xmlns='urn:f'><message xmlns='jabber:client'/></f></message>`,
      `<message><f xmlns='urn:f'><message xmlns='jabber:client'/></f></message>`,
    ],
    [`<message xmlns='jabber:server'/>`, `<message xmlns='jabber:server'/>`],
    [`<r xmlns='urn:xmpp:sm:3'/>`, `<r xmlns='urn:xmpp:sm:3'/>`],
    ['<x:q><body/></x:q>', `<x:q xmlns:x='urn:x'><body/></x:q>`],
  ] as const) {
    test(`[XML-14] from jabber:client to jabber:server (RFC 6120 §4.8.3): ${source}`, () => {
      expect(onlyStanza(source, P_HEADER).sourceIn('jabber:server')).toBe(inServer);
    });
  }

  test('[XML-14] where nothing has to change it is the source itself', () => {
    for (const source of ['<message/>', `<message xmlns='jabber:client'/>`, `<r xmlns='urn:r'/>`]) {
      expect(onlyStanza(source).sourceIn('jabber:client')).toBe(source);
    }
  });

  test('[XML-14] an element of another default namespace keeps it', () => {
    expect(onlyStanza('<a/>', headerFor('urn:other')).sourceIn('jabber:client')).toBe(`<a xmlns='urn:other'/>`);
    expect(onlyStanza('<a/>', HEADER.replace(`xmlns='jabber:client'`, '')).sourceIn('jabber:client')).toBe(
      `<a xmlns=''/>`,
    );
  });
});

describe('stanzas of one’s own making', () => {
  test('[XML-14] they take on the namespace of the stream they are sent on', () => {
    const stanza = Stanza.of(xml('message', { to: 'a' }, xml('body', {}, '<&>')));
    expect(stanza.source).toBe(`<message to='a'><body>&lt;&amp;&gt;</body></message>`);
    expect([stanza.name, stanza.namespace, stanza.to]).toEqual(['message', '', 'a']);
    for (const namespace of ['jabber:client', 'jabber:server']) expect(stanza.sourceIn(namespace)).toBe(stanza.source);
  });

  test('[XML-14] a content namespace of their own moves over, another one stays', () => {
    expect(Stanza.of(xml('iq', 'jabber:client')).sourceIn('jabber:server')).toBe(`<iq xmlns='jabber:server'/>`);
    expect(Stanza.of(xml('iq', 'urn:x')).sourceIn('jabber:server')).toBe(`<iq xmlns='urn:x'/>`);
  });

  test('[XML-14] the prefix stream is declared by them, as it may be used without', () => {
    const stanza = Stanza.of(xml('stream:features', {}, xml('a', 'urn:a')));
    expect([stanza.name, stanza.prefix, stanza.namespace]).toEqual(['features', 'stream', STREAMS]);
    expect(stanza.toString()).toBe(`<stream:features xmlns:stream='${STREAMS}'><a xmlns='urn:a'/></stream:features>`);
    expect(stanza.element.getNS()).toBe(STREAMS);
  });

  test('[XML-14] a part of a received stanza takes its namespaces along', () => {
    const whole = onlyStanza(`<message><f xmlns='urn:f' xmlns:p='urn:p'><p:q r='1'/><g/></f></message>`).element;
    const f = whole.getChild('f') as Element;
    expect(Stanza.of(f.getChild('g') as Element).source).toBe(`<g xmlns='urn:f'/>`);
    expect(Stanza.of(f.getChild('q') as Element).toString()).toBe(`<p:q xmlns='urn:f' xmlns:p='urn:p' r='1'/>`);
  });

  test('[XML-14] later changes of the element do not reach them', () => {
    const element = xml('a', {}, 'x');
    const stanza = Stanza.of(element);
    element.t('y');
    expect(stanza.element.getText()).toBe('x');
  });
});
