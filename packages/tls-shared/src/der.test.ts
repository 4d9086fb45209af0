import { describe, expect, test } from 'vitest';
import {
  DerError,
  DerReader,
  readBoolean,
  readNamedBits,
  readObjectIdentifier,
  readSmallInteger,
  readTime,
  readWhole,
  TAG,
} from './der.ts';

const element = (hex: string) => new DerReader(Buffer.from(hex, 'hex')).next();
const text = (tag: number, value: string) =>
  new DerReader(Buffer.concat([Uint8Array.of(tag, value.length), Buffer.from(value)])).next();

describe('DER', () => {
  test.each([
    ['nothing', ''],
    ['tag alone', '30'],
    ['length beyond the end', '300201'],
    ['indefinite length', '3080050000'],
    ['long length that fits the short form', `308101${'00'}`],
    ['length with a leading zero', `30820080${'00'.repeat(128)}`],
    ['length of four octets', '3084000000010'.padEnd(14, '0')],
    ['tag of two octets', '3f8100'],
  ])('[CERT-08] %s is no element', (_, hex) => {
    expect(() => element(hex)).toThrow(DerError);
  });

  test('[CERT-08] lengths of one, two and three octets', () => {
    for (const length of [0, 127, 128, 255, 256, 65_535, 65_536]) {
      const octets =
        length < 128
          ? [length]
          : length < 256
            ? [0x81, length]
            : length < 65_536
              ? [0x82, length >> 8, length & 255]
              : [0x83, length >> 16, (length >> 8) & 255, length & 255];
      const bytes = Buffer.concat([Uint8Array.of(4, ...octets), Buffer.alloc(length)]);
      expect(new DerReader(bytes).next().content).toHaveLength(length);
    }
  });

  test('[CERT-08] bytes behind the end, and other tags, are errors', () => {
    expect(() => readWhole(Buffer.from('300000', 'hex'), TAG.sequence)).toThrow(DerError);
    expect(() => readWhole(Buffer.from('3100', 'hex'), TAG.sequence)).toThrow(DerError);
  });

  test('[CERT-08] BOOLEAN is 00 or FF', () => {
    expect([readBoolean(element('0101ff')), readBoolean(element('010100'))]).toEqual([true, false]);
    for (const hex of ['010101', '0100', '0102ffff']) expect(() => readBoolean(element(hex))).toThrow(DerError);
  });

  test('[CERT-08] INTEGER is in its shortest form, not negative, and small', () => {
    const hexes = ['020100', '02017f', '02020080', '02047fffffff'];
    expect(hexes.map((hex) => readSmallInteger(element(hex)))).toEqual([0, 127, 128, 2 ** 31 - 1]);
    for (const hex of ['0200', '0201ff', '0202007f', '02050080000000']) {
      expect(() => readSmallInteger(element(hex))).toThrow(DerError);
    }
  });

  test('[CERT-08] OBJECT IDENTIFIER', () => {
    expect(readObjectIdentifier(element('06082b06010505070807'))).toBe('1.3.6.1.5.5.7.8.7');
    expect(readObjectIdentifier(element('0603883703'))).toBe('2.999.3');
    expect(readObjectIdentifier(element('0603551d11'))).toBe('2.5.29.17');
    for (const hex of ['0600', '060180', '06022a86', '06032a8001', '060a2affffffffffffffff7f']) {
      expect(() => readObjectIdentifier(element(hex))).toThrow(DerError);
    }
  });

  test('[CERT-11] named bits', () => {
    expect([...readNamedBits(element('03020780'))]).toEqual([0]);
    expect([...readNamedBits(element('03020106'))]).toEqual([5, 6]);
    expect([...readNamedBits(element('030100'))]).toEqual([]);
    for (const hex of ['0300', '030101', '03020880']) expect(() => readNamedBits(element(hex))).toThrow(DerError);
  });

  test.each([
    [TAG.utcTime, '500101000000Z', '1950-01-01T00:00:00Z'],
    [TAG.utcTime, '491231235959Z', '2049-12-31T23:59:59Z'],
    [TAG.generalizedTime, '20500101000000Z', '2050-01-01T00:00:00Z'],
    [TAG.generalizedTime, '99991231235959Z', '9999-12-31T23:59:59Z'],
    [TAG.utcTime, '240229000000Z', '2024-02-29T00:00:00Z'],
  ])('[CERT-09] time of tag %i, %s', (tag, value, expected) => {
    expect(readTime(text(tag, value))).toBe(Date.parse(expected));
  });

  test.each([
    [TAG.utcTime, '230229000000Z'],
    [TAG.utcTime, '2402290000Z'],
    [TAG.utcTime, '240229000000+0100'],
    [TAG.utcTime, '20240229000000Z'],
    [TAG.generalizedTime, '20240229000000.5Z'],
    [TAG.generalizedTime, '20240229240000Z'],
    [TAG.generalizedTime, '20241301000000Z'],
    [TAG.ia5String, '20240229000000Z'],
  ])('[CERT-08] no time of tag %i: %s', (tag, value) => {
    expect(() => readTime(text(tag, value))).toThrow(DerError);
  });
});
