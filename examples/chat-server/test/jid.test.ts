import { expect, test } from 'vitest';
import { formatJid, parseJid } from '../src/jid.ts';

test.each([
  ['capulet.example', 'capulet.example'],
  ['Juliet@CAPULET.example', 'juliet@capulet.example'],
  ['juliet@capulet.example/Balcony', 'juliet@capulet.example/Balcony'],
  ['juliet@capulet.example/a@b/c', 'juliet@capulet.example/a@b/c'],
  ['\u00fc@b\u00fccher.example', '\u00fc@xn--bcher-kva.example'],
])('[RFC 7622 §3] %s is %s', (text, expected) => {
  const jid = parseJid(text);
  expect(jid && formatJid(jid)).toBe(expected);
});

test.each([
  '',
  '@capulet.example',
  'juliet@',
  'juliet@capulet.example/',
  'a b@capulet.example',
  "o'neill@capulet.example",
  'a@b@capulet.example',
  'juliet@capulet.example/a\u0000',
  `${'x'.repeat(1024)}@capulet.example`,
  `juliet@capulet.example/${'x'.repeat(1024)}`,
])('[RFC 7622 §3] %j is no address', (text) => {
  expect(parseJid(text)).toBeNull();
});
