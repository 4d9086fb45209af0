import { describe, expect, test } from 'vitest';
import { formatJid, parseJid } from './jid.ts';

describe('addresses that are compared', () => {
  test.each([
    ['a.example', 'a.example'],
    ['Juliet@A.Example', 'juliet@a.example'],
    ['juliet@a.example/Balcony', 'juliet@a.example/Balcony'],
    ['juliet@bücher.example', 'juliet@xn--bcher-kva.example'],
    ['a.example/x@y/z', 'a.example/x@y/z'],
    ['fußball@a.example', 'fußball@a.example'],
    ['π@a.example', 'π@a.example'],
    ['Σ@a.example', 'σ@a.example'],
    ['ｊｕｌｉｅｔ@a.example', 'juliet@a.example'],
    ['henry\u2163@a.example', null],
    ['♚@a.example', null],
    ['ju liet@a.example', null],
    ['"juliet"@a.example', null],
    ['jul\u200diet@a.example', null],
    ['juliet\u00ad@a.example', null],
    ['ﬁ@a.example', null],
    ['juliet\ufe0f@a.example', null],
    ['jul\u115fiet@a.example', null],
    ['＠@a.example', null],
    ['@a.example', null],
    ['juliet@', null],
    ['juliet@a.example/', null],
    ['juliet@a.example/\u0007', null],
    ['juliet@a.example/foo\u00a0bar', 'juliet@a.example/foo bar'],
    ['juliet@a.example/cafe\u0301', 'juliet@a.example/caf\u00e9'],
    ['a@b@a.example', null],
    ['juliet@192.0.2.1', null],
    ['juliet@[2001:db8::1]', null],
    ['juliet@a.example.', null],
    ['', null],
    [`${'j'.repeat(1023)}@a.example`, `${'j'.repeat(1023)}@a.example`],
    [`${'j'.repeat(1024)}@a.example`, null],
    [`${'é'.repeat(512)}@a.example`, null],
    [`a.example/${'r'.repeat(1024)}`, null],
  ])('[CERT-05] %j is %j', (text, expected) => {
    const jid = parseJid(text);
    expect(jid === null ? null : formatJid(jid)).toBe(expected);
  });

  test('[CERT-05] normalising twice is normalising once', () => {
    for (const text of ['Juliet@A.Example/Chamber', 'Σ@a.example', 'I\u0307@a.example', 'ｶﾞ@a.example']) {
      const once = parseJid(text);
      expect(once).not.toBe(null);
      if (once !== null) expect(parseJid(formatJid(once))).toEqual(once);
    }
  });
});
