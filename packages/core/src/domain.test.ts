import { describe, expect, test } from 'vitest';
import { isIpLiteral, normalizeDomain } from './domain.ts';

const LABEL_63 = 'a'.repeat(63);

describe('normalizeDomain', () => {
  test.each([
    ['capulet.example', 'capulet.example'],
    ['IM.Capulet.EXAMPLE', 'im.capulet.example'],
    ['capulet.example.', 'capulet.example'],
    ['localhost', 'localhost'],
    ['1.2.3.4', '1.2.3.4'],
    ['9.example', '9.example'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['BÜCHER.example', 'xn--bcher-kva.example'],
    ['bu\u0308cher.example', 'xn--bcher-kva.example'],
    ['bücher。example', 'xn--bcher-kva.example'],
    ['capulet．example｡', 'capulet.example'],
    ['ｃａｐｕｌｅｔ.example', 'capulet.example'],
    ['faß.example', 'xn--fa-hia.example'],
    ['XN--BCHER-KVA.example', 'xn--bcher-kva.example'],
    [`${LABEL_63}.example`, `${LABEL_63}.example`],
    [`${`${LABEL_63}.`.repeat(3)}${'b'.repeat(61)}`, `${`${LABEL_63}.`.repeat(3)}${'b'.repeat(61)}`],
  ])('[CERT-07] %j is the domain %s', (text, domain) => {
    expect(normalizeDomain(text)).toBe(domain);
  });

  test.each([
    ['empty', ''],
    ['the root', '.'],
    ['leading dot', '.example'],
    ['empty label', 'a..example'],
    ['empty label in front of a U-label', 'bücher..example'],
    ['two trailing dots', 'a.example..'],
    ['space', 'a b.example'],
    ['NUL', 'a.example\0.evil.example'],
    ['tab', 'a.exa\tmple'],
    ['percent-encoding', '%61.example'],
    ['full-width percent sign', 'a％2e.example'],
    ['port', 'a.example:5222'],
    ['path', 'bücher.example/x'],
    ['localpart', 'romeo@a.example'],
    ['underscore', '_xmpp-client.example'],
    ['wildcard', '*.a.example'],
    ['leading hyphen', '-a.example'],
    ['trailing hyphen', 'a-.example'],
    ['reserved LDH label', 'ab--c.example'],
    ['broken A-label', 'xn--a.example'],
    ['A-label of an ASCII name', 'xn--abc-.example'],
    ['zero-width joiner out of context', 'ab\u200dc.example'],
    ['lone surrogate', 'a\ud800.example'],
    ['IPv6', '[::1]'],
    ['IPv4 in hexadecimal', '0x7f.1'],
    ['IPv4 as one number', '2130706433'],
    ['full-width digits that would become an IPv4 address', '１２７.0.0.1'],
    ['label of 64', `${LABEL_63}a.example`],
    ['254 in all', `${`${LABEL_63}.`.repeat(3)}${'b'.repeat(62)}`],
  ])('[CERT-08] no domain: %s', (_, text) => {
    expect(normalizeDomain(text)).toBeNull();
  });

  test('[CERT-07] a normal form is its own normal form', () => {
    for (const text of ['bücher.example', 'ÅNGSTRÖM.example', '例え.テスト', 'ΣΊΣΥΦΟΣ.example']) {
      const once = normalizeDomain(text);
      expect(once).not.toBeNull();
      expect(normalizeDomain(once ?? '')).toBe(once);
    }
  });
});

describe('isIpLiteral', () => {
  test.each([
    ['192.0.2.1', true],
    ['192.0.2.1.', true],
    ['2001:db8::1', true],
    ['[2001:db8::1]', true],
    ['a.example', false],
    ['192.0.2', false],
    ['[a.example]', false],
    ['', false],
  ])('[Q-07] %s: %s', (text, expected) => {
    expect(isIpLiteral(text)).toBe(expected);
  });
});
