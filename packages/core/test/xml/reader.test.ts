import { describe, expect, test } from 'vitest';
import { brief, END, HEADER, LIMITS, type Recorded, read, record, STREAMS, singleBytes } from './record.ts';

const utf8 = (text: string): Buffer => Buffer.from(text);
const conditionOf = (events: readonly Recorded[]): string | undefined => {
  const last = events.at(-1);
  return last?.type === 'error' ? last.condition : last?.type;
};

/** Reads text whole and byte by byte; both have to report the same. */
function both(input: string | Uint8Array, limits = {}): Recorded[] {
  const bytes = typeof input === 'string' ? utf8(input) : input;
  const events = read([bytes], limits);
  expect(read(singleBytes(bytes), limits)).toEqual(events);
  return events;
}

/** Bytes that were taken before `input` was refused. */
function bytesUntilError(input: string): number {
  const recording = record();
  const bytes = utf8(input);
  for (let count = 0; count < bytes.length; count++) {
    recording.reader.feed(bytes.subarray(count, count + 1));
    if (recording.events.at(-1)?.type === 'error') return count + 1;
  }
  return Number.POSITIVE_INFINITY;
}

describe('stream header', () => {
  test('[XML-01] the header is reported with its attributes, unescaped', () => {
    const header = `<?xml version='1.0'?><stream:stream from='j&amp;r@a.example' to="a.example" id='&#x31;' version='1.0' xml:lang='en' xmlns='jabber:client' xmlns:stream='${STREAMS}'>`;
    expect(both(header)).toEqual([
      {
        type: 'header',
        header: {
          namespace: 'jabber:client',
          from: 'j&r@a.example',
          to: 'a.example',
          id: '1',
          version: '1.0',
          lang: 'en',
        },
      },
    ]);
  });

  test('[XML-01] an empty root is a header and its end', () => {
    expect(brief(both(HEADER.replace('>', '/>')))).toEqual(['header', 'end']);
  });

  for (const [root, condition] of [
    [`<stream:stream xmlns:stream='http://example.org/' xmlns='jabber:client'>`, 'invalid-namespace'],
    [`<stream xmlns='jabber:client'>`, 'invalid-namespace'],
    [`<stream>`, 'invalid-namespace'],
    [`<stream:streams xmlns:stream='${STREAMS}'>`, 'bad-format'],
    [`<html>`, 'bad-format'],
    [`GET / HTTP/1.1\r\n`, 'not-well-formed'],
    [`\u0016\u0003\u0001`, 'not-well-formed'],
    [`<stream:stream to='a.example'>`, 'not-well-formed'],
    [`</stream:stream>`, 'not-well-formed'],
    [`x`, 'not-well-formed'],
    [`<![CDATA[`, 'restricted-xml'],
    [`&#32;`, 'not-well-formed'],
  ] as const) {
    test(`[XML-01] root ${JSON.stringify(root)} → ${condition}`, () => {
      expect(brief(both(root))).toEqual([condition]);
    });
  }

  for (const [name, header, closing] of [
    ['s:', `<s:stream xmlns:s='${STREAMS}' xmlns='jabber:client'>`, '</s:stream>'],
    ['none', `<stream xmlns='${STREAMS}'>`, '</stream>'],
    ['é:', `<é:stream xmlns:é='${STREAMS}' xmlns='jabber:client'>`, '</é:stream>'],
  ] as const) {
    test(`[XML-03] the stream namespace may have any prefix: ${name}`, () => {
      expect(brief(both(`${header}<x xmlns='urn:x'/>${closing}`))).toEqual(['header', `<x xmlns='urn:x'/>`, 'end']);
    });
  }

  for (const stanza of [
    `<c:message xmlns:c='jabber:client'/>`,
    `<c:message xmlns:c='jabber:client'>`,
    `<x xmlns='urn:x'><c:message xmlns:c='jabber:client'/></x>`,
    `<message><c:body xmlns:c='jabber:client'/></message>`,
  ]) {
    test(`[XML-03] a prefix in the content namespace is refused: ${stanza}`, () => {
      expect(brief(both(HEADER + stanza))).toEqual(['header', 'bad-namespace-prefix']);
    });
  }

  test('[XML-03] a prefix of the header that is bound to the content namespace is refused too', () => {
    const header = HEADER.replace(' to', ` xmlns:c='jabber:client' to`);
    expect(brief(both(`${header}<c:message/>`))).toEqual(['header', 'bad-namespace-prefix']);
  });

  test('[XML-03] attributes with a prefix of the content namespace are only odd', () => {
    const stanza = `<message xmlns:c='jabber:client' c:to='x'/>`;
    expect(brief(both(HEADER + stanza))).toEqual(['header', stanza]);
  });
});

describe('restricted XML', () => {
  const restricted = ['<!-- c -->', '<?x y?>', '<?xmlx y?>', '<!DOCTYPE x>', '<!ENTITY x "y">', '&foo;', '&nbsp;'];
  for (const forbidden of restricted) {
    test(`[XML-10] ${forbidden} → restricted-xml, before the header, between stanzas and within`, () => {
      expect(brief(both(forbidden))).toEqual(['restricted-xml']);
      expect(brief(both(`<?xml version='1.0'?>${forbidden}`))).toEqual(['restricted-xml']);
      expect(brief(both(` ${forbidden}`))).toEqual(['restricted-xml']);
      expect(brief(both(`${HEADER}<a/>${forbidden}`))).toEqual(['header', '<a/>', 'restricted-xml']);
      expect(brief(both(`${HEADER}<a/><b>${forbidden}</b>`))).toEqual(['header', '<a/>', 'restricted-xml']);
    });
  }

  for (const [input, decisive] of [
    ['<!', 2],
    ['<?php', 3],
    ['<?xm-stylesheet', 5],
    ['<?xml-stylesheet', 6],
    [`${HEADER}<?`, HEADER.length + 2],
    [`${HEADER}<!-`, HEADER.length + 3],
    [`${HEADER}<a><!D`, HEADER.length + 6],
    [`${HEADER}<a>&f`, HEADER.length + 5],
    [`${HEADER}<a>&amq`, HEADER.length + 7],
    [`${HEADER}<a>&ampe`, HEADER.length + 8],
    [`${HEADER}<a b='&l;`, HEADER.length + 9],
    [`${HEADER}<a b='&é`, HEADER.length + 9],
    [`${HEADER}&x`, HEADER.length + 2],
  ] as const) {
    test(`[XML-10] ${JSON.stringify(input.replace(HEADER, '…'))} is refused at its last byte`, () => {
      expect(brief(both(input)).at(-1)).toBe('restricted-xml');
      expect(bytesUntilError(input)).toBe(decisive);
    });
  }

  test('[XML-10] the predefined entities and character references are no restriction', () => {
    const { stanzas, reader } = record();
    reader.feed(utf8(`${HEADER}<a b='&lt;&quot;&#65;'>&amp;&lt;&gt;&quot;&apos;&#x1F600;&#9;&#0000000010;</a>`));
    expect(stanzas[0]?.element.getText()).toBe(`&<>"'\u{1F600}\t\n`);
    expect(stanzas[0]?.attributes.b).toBe('<"A');
  });
});

describe('XML declaration', () => {
  for (const declaration of [
    `<?xml version='1.0'?>`,
    `<?xml version="1.0" encoding="UTF-8"?>`,
    `<?xml version = '1.0' encoding='utf-8' ?>`,
    `<?xml\tversion='1.0'\r\nencoding='Utf-8'\nstandalone='yes'?>`,
    `<?xml version='1.0' standalone="yes"?> \n`,
  ]) {
    test(`[XML-11] accepted: ${JSON.stringify(declaration)}`, () => {
      expect(brief(both(declaration + HEADER))).toEqual(['header']);
    });
  }

  for (const [declaration, condition] of [
    [`<?xml version='1.0' encoding='iso-8859-1'?>`, 'unsupported-encoding'],
    [`<?xml version='1.0' encoding='UTF-16'?>`, 'unsupported-encoding'],
    [`<?xml version='1.1'?>`, 'restricted-xml'],
    [`<?xml version='1.0' standalone='no'?>`, 'restricted-xml'],
    [` <?xml version='1.0'?>`, 'not-well-formed'],
    [`<?xml version='1.0'?><?xml version='1.0'?>`, 'not-well-formed'],
    [`<?xml?>`, 'not-well-formed'],
    [`<?xml ?>`, 'not-well-formed'],
    [`<?xml version='2.0'?>`, 'not-well-formed'],
    [`<?xml version='1.0'>`, 'not-well-formed'],
    [`<?xml version='1.0' ? >`, 'not-well-formed'],
    [`<?xml encoding='UTF-8'?>`, 'not-well-formed'],
    [`<?xml version='1.0'encoding='UTF-8'?>`, 'not-well-formed'],
    [`<?xml version='1.0' encoding='8'?>`, 'not-well-formed'],
    [`<?xml encoding='UTF-8' version='1.0'?>`, 'not-well-formed'],
    [`<?xml version='1.0" ?>`, 'not-well-formed'],
    [`<?xml version='1.0' standalone='maybe'?>`, 'not-well-formed'],
    [`<?xml version='1.0' é='1'?>`, 'not-well-formed'],
  ] as const) {
    test(`[XML-11] ${JSON.stringify(declaration)} → ${condition}`, () => {
      expect(brief(both(declaration + HEADER))).toEqual([condition]);
    });
  }

  test('[XML-11] a declaration inside the stream is a processing instruction', () => {
    expect(brief(both(`${HEADER}<?xml version='1.0'?>`))).toEqual(['header', 'restricted-xml']);
  });
});

describe('encoding', () => {
  for (const [name, bytes] of [
    ['overlong slash', [0xc0, 0xaf]],
    ['overlong C1', [0xc1, 0xbf]],
    ['overlong, three bytes', [0xe0, 0x80, 0x80]],
    ['overlong, four bytes', [0xf0, 0x80, 0x80, 0x80]],
    ['surrogate', [0xed, 0xa0, 0x80]],
    ['beyond U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
    ['F5', [0xf5, 0x80, 0x80, 0x80]],
    ['FF', [0xff]],
    ['stray continuation byte', [0x80]],
    ['cut sequence', [0xe2, 0x82, 0x3c]],
    ['cut sequence of four', [0xf0, 0x9f, 0x98, 0x3c]],
  ] as const) {
    const bad = Buffer.from(bytes);
    test(`[XML-12] ${name} → unsupported-encoding, and what was complete before is delivered`, () => {
      expect(brief(both(bad))).toEqual(['unsupported-encoding']);
      const before = utf8(`${HEADER}<a>é</a>`);
      for (const place of ['', '<b>', `<b c='`, '<b', '<b><![CDATA[']) {
        const events = both(Buffer.concat([before, utf8(place), bad, utf8('</b><c/>')]));
        expect(brief(events)).toEqual(['header', '<a>é</a>', 'unsupported-encoding']);
      }
    });
  }

  test('[XML-12] UTF-16 → unsupported-encoding', () => {
    expect(brief(both(Buffer.from(`\ufeff${HEADER}`, 'utf16le')))).toEqual(['unsupported-encoding']);
  });

  test('[XML-12] a fault of the XML before the invalid byte counts first', () => {
    const events = both(Buffer.concat([utf8(`${HEADER}<a></b>`), Buffer.of(0xff)]));
    expect(brief(events)).toEqual(['header', 'not-well-formed']);
  });

  test('[XML-12] behind the closing tag no byte matters', () => {
    const events = both(Buffer.concat([utf8(HEADER + END), Buffer.of(0xff), utf8('<<<')]));
    expect(brief(events)).toEqual(['header', 'end']);
  });

  test('[XML-12] U+FEFF is a character in text, and a fault before the root', () => {
    expect(brief(both(`${HEADER}<a>\ufeff</a>`))).toEqual(['header', '<a>\ufeff</a>']);
    expect(brief(both(`\ufeff${HEADER}`))).toEqual(['not-well-formed']);
    expect(brief(both(`${HEADER}\ufeff`))).toEqual(['header', 'bad-format']);
  });

  test('[XML-12] all lengths of sequences are read, in names, values and text', () => {
    const stanza = `<é\u{10000} ñ='ß€😀' xmlns='urn:x'>ß€😀<日本>語</日本></é\u{10000}>`;
    const events = both(HEADER + stanza);
    expect(events[1]).toMatchObject({ name: 'é\u{10000}', attributes: { ñ: 'ß€😀' }, source: stanza });
  });
});

describe('well-formedness', () => {
  const header = HEADER.replace(' to', ` xmlns:p='urn:p' xmlns:q='urn:p' to`);
  for (const bad of [
    '<a></b>',
    '<a></ab>',
    '<ab></a>',
    '<a><b></a></b>',
    '<a/ >',
    '<a / >',
    '< a/>',
    '<a></ a>',
    '<a></a b>',
    `<a b='1' b='2'/>`,
    `<a b='1' c='' d='' e='' f='' g='' h='' i='' b='2'/>`,
    `<a p:b='1' q:b='2'/>`,
    `<a b/>`,
    `<a b=1/>`,
    `<a b='1'c='2'/>`,
    `<a b='<'/>`,
    `<a b='&'/>`,
    `<a b='& '/>`,
    `<a b='&#0;'/>`,
    `<a='1'/>`,
    `<a ='1'/>`,
    '<a>]]></a>',
    '<a>]]]></a>',
    '<a>& </a>',
    '<a>&;</a>',
    '<a>&amp</a>',
    '<a>&-x;</a>',
    '<a>&#0;</a>',
    '<a>&#8;</a>',
    '<a>&#xB;</a>',
    '<a>&#xD800;</a>',
    '<a>&#xDFFF;</a>',
    '<a>&#xFFFE;</a>',
    '<a>&#xFFFF;</a>',
    '<a>&#x110000;</a>',
    '<a>&#99999999999999999999;</a>',
    '<a>&#;</a>',
    '<a>&#x;</a>',
    '<a>&#X41;</a>',
    '<a>&#4a;</a>',
    '<a>&#xg;</a>',
    '<a>&#x',
    '<a>\u0000</a>',
    '<a>\u0001</a>',
    '<a>\u001f</a>',
    '<a>\ufffe</a>',
    '<a>\uffff</a>',
    `<a b='\u0002'/>`,
    `<a b='\uffff'/>`,
    '<a><![CDATA[\u0003]]></a>',
    '<a><![CDATA[\ufffe]]></a>',
    '<a><![CDATX[]]></a>',
    '<a><![cdata[]]></a>',
    '<a><![x',
    '<1a/>',
    '<-a/>',
    '<.a/>',
    '<a×/>',
    '<×/>',
    `<a \u0300='1'/>`,
    '<:a/>',
    '<a:/>',
    '<a:b:c/>',
    '<p:1/>',
    '<p:b:c/>',
    `<a :b='1'/>`,
    `<a b:='1'/>`,
    `<a p:b:c='1'/>`,
    '<z:a/>',
    `<a z:b='1'/>`,
    `<a><b xmlns:z='urn:z'/><z:c/></a>`,
    '<xmlns:a/>',
    `<a xmlns:z=''/>`,
    `<a xmlns:xmlns='urn:x'/>`,
    `<a xmlns:xmlns='http://www.w3.org/2000/xmlns/'/>`,
    `<a xmlns:z='http://www.w3.org/2000/xmlns/'/>`,
    `<a xmlns:xml='urn:x'/>`,
    `<a xmlns:z='http://www.w3.org/XML/1998/namespace'/>`,
    `<a xmlns='http://www.w3.org/XML/1998/namespace'/>`,
    `<a xmlns='http://www.w3.org/2000/xmlns/'/>`,
    `<a><b><c xmlns='&#x68;ttp://www.w3.org/2000/xmlns/'/></b></a>`,
    `<a xmlns:z='urn:1' xmlns:z='urn:2'/>`,
    `<a xmlns='urn:1' xmlns='urn:2'/>`,
    '</a>',
    '</stream:streams>',
    '</stream:strea>',
    '\u0001',
    '\uffff',
  ]) {
    test(`[XML-13] ${JSON.stringify(bad)} → not-well-formed, and nothing of it is delivered`, () => {
      const events = both(`${header}<ok/>${bad}<never/>`);
      expect(brief(events)).toEqual(['header', '<ok/>', 'not-well-formed']);
    });
  }

  for (const good of [
    `<a b='>' c="'" d='"'/>`,
    `<a\tb = '1'\r\nc\n=\n"2" />`,
    '<a></a  >',
    '<a>]]</a>',
    '<a>]] ></a>',
    '<a>]]&gt;</a>',
    '<a>></a>',
    '<a><![CDATA[]]></a>',
    '<a><![CDATA[]]]></a>',
    '<a><![CDATA[]]]]></a>',
    '<a><![CDATA[<&>]] ]>]]></a>',
    '<a><![CDATA[]]>></a>',
    '<a>\u007f\u0080\u0085\u2028</a>',
    '<a>\ufffd\u{1fffe}\u{10ffff}</a>',
    '<a>&#xFFFD;&#x10FFFF;&#13;</a>',
    '<_a-b.c·\u0300/>',
    `<a p:b='1' b='2'/>`,
    `<a xml:lang='de' xml:space='preserve'/>`,
    `<a xmlns:xml='http://www.w3.org/XML/1998/namespace'/>`,
    '<xml:a/>',
    `<a xmlns=''/>`,
    `<a><b xmlns:p='urn:other'><p:c/></b><p:d/></a>`,
    `<a __proto__='x' constructor='y' toString='z'/>`,
  ]) {
    test(`[XML-13] ${JSON.stringify(good)} is well-formed`, () => {
      expect(brief(both(header + good + END))).toEqual(['header', good, 'end']);
    });
  }

  test('[XML-13] attributes cannot reach a prototype', () => {
    const { stanzas, reader } = record();
    reader.feed(utf8(`${HEADER}<a __proto__='x'><b __proto__='y'/></a>`));
    const [stanza] = stanzas;
    expect(Object.getPrototypeOf(stanza?.attributes)).toBeNull();
    expect(Object.entries(stanza?.attributes ?? {})).toEqual([['__proto__', 'x']]);
    const child = stanza?.element.getChild('b');
    expect(Object.entries(child?.attrs ?? {})).toEqual([['__proto__', 'y']]);
    expect(stanza?.to).toBeUndefined();
  });
});

describe('size', () => {
  const limits = { maxStanzaBytes: 10_000 };
  const ofSize = (bytes: number, filler = 'x'): string => {
    const room = bytes - '<a></a>'.length;
    const count = Math.floor(room / Buffer.byteLength(filler));
    return `<a>${filler.repeat(count)}${'y'.repeat(room - count * Buffer.byteLength(filler))}</a>`;
  };

  for (const filler of ['x', 'é', '€', '😀', '&lt;']) {
    test(`[XML-15] exactly the limit is delivered, one byte more is not: ${filler}`, () => {
      expect(brief(both(HEADER + ofSize(10_000, filler), limits))).toEqual(['header', ofSize(10_000, filler)]);
      expect(both(HEADER + ofSize(10_001, filler), limits).at(-1)).toEqual({
        type: 'error',
        condition: 'policy-violation',
        applicationCondition: '{urn:xmpp:errors}stanza-too-big',
      });
    });
  }

  for (const [where, start] of [
    ['text', '<a>'],
    ['an attribute value', `<a b='`],
    ['a name', '<a'],
    ['an attribute name', '<a b'],
    ['a CDATA section', '<a><![CDATA['],
  ] as const) {
    test(`[XML-15] an endless ${where} is refused at once, without being kept`, () => {
      const { events, reader } = record(limits);
      reader.feed(utf8(HEADER + start));
      for (let count = 0; count < 9_999 - start.length; count++) reader.feed(utf8('x'));
      expect(brief(events)).toEqual(['header']);
      expect(reader.retainedBytes).toBe(9_999);
      reader.feed(utf8('x'));
      expect(conditionOf(events)).toBe('policy-violation');
      expect(reader.retainedBytes).toBe(0);
    });
  }

  test('[XML-15] a closing tag has no room to grow either', () => {
    expect(conditionOf(both(`${HEADER}</stream:stream${' '.repeat(10_000)}`, limits))).toBe('policy-violation');
  });

  test('[XML-15] the limit may change between two elements', () => {
    const { events, reader } = record(limits);
    reader.feed(utf8(HEADER));
    reader.maxStanzaBytes = 20_000;
    reader.feed(utf8(ofSize(20_000)));
    reader.maxStanzaBytes = 10_000;
    reader.feed(utf8(ofSize(20_000)));
    expect(brief(events)).toEqual(['header', ofSize(20_000), 'policy-violation']);
    expect(reader.maxStanzaBytes).toBe(10_000);
  });

  test('[XML-15] white space between elements does not count', () => {
    const input = `${HEADER}${' '.repeat(30_000)}<a/>${'\n'.repeat(30_000)}<b/>`;
    expect(brief(both(input, limits))).toEqual(['header', '<a/>', '<b/>']);
  });
});

describe('depth, attributes and header', () => {
  const nested = (depth: number): string => '<a>'.repeat(depth - 1) + '</a>'.repeat(depth - 1);
  const attributes = (count: number): string => Array.from({ length: count }, (_, index) => ` a${index}=''`).join('');

  test('[XML-16] depth 128 is delivered, depth 129 is a policy-violation', () => {
    expect(brief(both(HEADER + nested(128)))).toEqual(['header', nested(128)]);
    expect(brief(both(HEADER + nested(129)))).toEqual(['header', 'policy-violation']);
    expect(brief(both(`${HEADER}${'<a>'.repeat(127)}<b/>`))).toEqual(['header', 'policy-violation']);
  });

  test('[XML-16] 100 attributes are delivered, 101 are a policy-violation', () => {
    expect(brief(both(`${HEADER}<a${attributes(100)}/>`))).toEqual(['header', `<a${attributes(100)}/>`]);
    expect(brief(both(`${HEADER}<a${attributes(101)}/>`))).toEqual(['header', 'policy-violation']);
    expect(brief(both(`${HEADER}<a><b${attributes(101)}/></a>`))).toEqual(['header', 'policy-violation']);
    expect(brief(both(HEADER.replace('>', `${attributes(101)}>`)))).toEqual(['policy-violation']);
  });

  for (const place of ['before', 'inside', 'declaration'] as const) {
    test(`[XML-16] a header of exactly the limit is read, one byte more is a policy-violation: ${place}`, () => {
      const header = (room: number): string => {
        if (place === 'before') return ' '.repeat(room) + HEADER;
        if (place === 'inside') return HEADER.replace('>', `${' '.repeat(room)}>`);
        return `<?xml version='1.0'${' '.repeat(room - 21)}?>${HEADER}`;
      };
      const room = LIMITS.maxHeaderBytes - HEADER.length;
      expect(brief(both(header(room)))).toEqual(['header']);
      expect(brief(both(header(room + 1)))).toEqual(['policy-violation']);
      expect(both(header(room + 1))).toEqual([
        { type: 'error', condition: 'policy-violation', applicationCondition: null },
      ]);
    });
  }
});

describe('between first-level elements', () => {
  test('[XML-18] a flood of white space is no event, keeps nothing, and hides nothing', () => {
    const { events, reader } = record();
    reader.feed(utf8(HEADER));
    const spaces = Buffer.alloc(10_000, ' \t\r\n');
    for (let count = 0; count < 100; count++) {
      reader.feed(spaces);
      expect(reader.retainedBytes).toBe(0);
    }
    reader.feed(utf8('<a/>'));
    expect(brief(events)).toEqual(['header', '<a/>']);
  });

  for (const text of ['abc', '&lt;', '&#32;', '&#x20;', ']', '>', 'é', '<![CDATA[ ]]>', '<![CDATA[']) {
    test(`[XML-18] ${text} between stanzas → bad-format`, () => {
      expect(brief(both(`${HEADER}<a/> ${text}`))).toEqual(['header', '<a/>', 'bad-format']);
    });
  }

  test('[XML-19] unknown first-level elements are delivered whole, in order', () => {
    const elements = [
      `<r xmlns='urn:xmpp:sm:3'/>`,
      '<message/>',
      `<foo xmlns='urn:x'><bar/></foo>`,
      `<x:y xmlns:x='urn:y'/>`,
    ];
    const events = both(HEADER + elements.join('\n'));
    expect(brief(events)).toEqual(['header', ...elements]);
    expect(events.slice(1)).toMatchObject([
      { name: 'r', prefix: '', namespace: 'urn:xmpp:sm:3' },
      { name: 'message', prefix: '', namespace: 'jabber:client' },
      { name: 'foo', prefix: '', namespace: 'urn:x' },
      { name: 'y', prefix: 'x', namespace: 'urn:y' },
    ]);
  });

  test('[XML-19] a stream error is an ordinary first-level element', () => {
    const error = `<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>`;
    expect(both(HEADER + error)[1]).toMatchObject({ name: 'error', prefix: 'stream', namespace: STREAMS });
  });

  for (const stream of [HEADER, `<stream xmlns='${STREAMS}'/>`, '<stream:stream/>']) {
    test(`[XML-01] a stream within the stream → bad-format: ${stream}`, () => {
      expect(brief(both(HEADER + stream))).toEqual(['header', 'bad-format']);
    });
  }

  test('[XML-01] an element called stream in another namespace is an ordinary one', () => {
    expect(brief(both(`${HEADER}<stream/><a><stream:stream/></a>`))).toHaveLength(3);
  });
});

describe('the reader itself', () => {
  test('[XML-07] a restart behind an element drops everything of the old document', () => {
    const next = `<?xml version='1.0'?><s:stream xmlns:s='${STREAMS}' xmlns='jabber:server' id='2'>`;
    const recording = record();
    recording.onStanza = (stanza) => {
      if (stanza.name === 'success') recording.reader.restart();
    };
    const old = HEADER.replace(' to', ` xmlns:p='urn:p' to`);
    recording.reader.feed(utf8(`${old}<p:a/><success/>${next}<b/><stream:c/>`));
    expect(brief(recording.events)).toEqual(['header', '<p:a/>', '<success/>', 'header', '<b/>', 'not-well-formed']);
    expect(recording.events[3]).toMatchObject({ header: { namespace: 'jabber:server', id: '2', to: undefined } });
    expect(recording.events[4]).toMatchObject({ namespace: 'jabber:server' });
  });

  test('[XML-07] after a restart the header limit holds for the new header alone', () => {
    const recording = record({ maxHeaderBytes: 200 });
    recording.onStanza = () => recording.reader.restart();
    for (let count = 0; count < 10; count++) recording.reader.feed(utf8(`${HEADER}<a/>`));
    expect(brief(recording.events)).toHaveLength(20);
    expect(conditionOf(recording.events)).toBe('stanza');
  });

  test('[XML-07] a restart while paused, long after its element', () => {
    const recording = record();
    recording.onStanza = () => recording.reader.pause();
    recording.reader.feed(utf8(`${HEADER}<a/>${HEADER}<b/>`));
    expect(brief(recording.events)).toEqual(['header', '<a/>']);
    recording.reader.restart();
    recording.reader.resume();
    expect(brief(recording.events)).toEqual(['header', '<a/>', 'header', '<b/>']);
  });

  test('[XML-07] a restart while the new header is half there reads it from its beginning', () => {
    const { reader, events } = record();
    reader.feed(utf8(`${HEADER}<a/> ${HEADER.slice(0, 30)}`));
    reader.restart();
    reader.feed(utf8(HEADER.slice(30)));
    expect(brief(events)).toEqual(['header', '<a/>', 'header']);
  });

  test('[XML-07] without a restart a second header is refused, and with one too many the old stream is', () => {
    const recording = record();
    recording.onStanza = () => recording.reader.restart();
    recording.reader.feed(utf8(`${HEADER}<a/><b/>`));
    expect(brief(recording.events)).toEqual(['header', '<a/>', 'bad-format']);
  });

  test('[XML-17] paused, it reports nothing, keeps the order, and counts what it holds', () => {
    const recording = record();
    const { reader, events } = recording;
    reader.pause();
    reader.feed(utf8(HEADER));
    reader.feed(utf8('<a/><b>'));
    expect(events).toEqual([]);
    expect(reader.retainedBytes).toBe(HEADER.length + 7);
    recording.onStanza = () => reader.pause();
    reader.resume();
    expect(brief(events)).toEqual(['header', '<a/>']);
    reader.feed(utf8('</b><c/>'));
    expect(brief(events)).toEqual(['header', '<a/>']);
    reader.resume();
    expect(brief(events)).toEqual(['header', '<a/>', '<b></b>']);
    reader.resume();
    expect(brief(events)).toEqual(['header', '<a/>', '<b></b>', '<c/>']);
    expect(reader.retainedBytes).toBe(0);
  });

  test('[XML-17] an error waits for its turn too, and comes once', () => {
    const recording = record();
    const { reader, events } = recording;
    recording.onStanza = () => reader.pause();
    reader.feed(utf8(`${HEADER}<a/></b>`));
    expect(brief(events)).toEqual(['header', '<a/>']);
    reader.resume();
    reader.resume();
    reader.feed(utf8('</c>'));
    expect(brief(events)).toEqual(['header', '<a/>', 'not-well-formed']);
  });

  test('[XML-17] feed and resume inside a callback do not enter again', () => {
    const recording = record();
    const { reader, events } = recording;
    let depth = 0;
    recording.onStanza = ({ name }) => {
      depth++;
      expect(depth).toBe(1);
      if (name === 'a') reader.feed(utf8('<c/>'));
      reader.pause();
      reader.resume();
      depth--;
    };
    reader.feed(utf8(`${HEADER}<a/><b/>`));
    expect(brief(events)).toEqual(['header', '<a/>', '<b/>', '<c/>']);
  });

  test('[XML-17] a callback that throws leaves the reader behind what was reported', () => {
    const recording = record();
    const { reader, events } = recording;
    recording.onStanza = ({ name }) => {
      if (name === 'a') throw new Error('handler');
    };
    expect(() => reader.feed(utf8(`${HEADER}<a/><b/><c>`))).toThrow('handler');
    reader.feed(utf8('</c>'));
    expect(brief(events)).toEqual(['header', '<a/>', '<b/>', '<c></c>']);
  });

  test('[XML-08] what follows the closing tag is ignored', () => {
    expect(brief(both(`${HEADER}<a/>${END}<b/>`))).toEqual(['header', '<a/>', 'end']);
  });

  test('[XML-13] a plain Uint8Array view into a larger buffer is read as well', () => {
    const bytes = new TextEncoder().encode(`xx${HEADER}<a/>xx`);
    expect(brief(read([bytes.subarray(2, -2)]))).toEqual(['header', '<a/>']);
  });
});
