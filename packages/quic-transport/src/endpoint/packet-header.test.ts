import { describe, expect, test } from 'vitest';
import {
  connectionIdKey,
  destinationConnectionIdKey,
  encodeVarint,
  isLoneHandshakePacket,
  isLongHeader,
  parseLongHeader,
  readVarint,
} from './packet-header.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');

const INITIAL = hex('c3 00000001 08 8394c8f03e515708 04 01020304 02 aabb 07 00000002 f00f ff');

describe('Long headers', () => {
  test('[QT-01] an Initial tells its IDs, token, packet number and end', () => {
    const datagram = Buffer.concat([INITIAL, hex('0000')]);
    expect(parseLongHeader(datagram)).toEqual({
      type: 'initial',
      version: 1,
      destinationConnectionId: hex('8394c8f03e515708'),
      sourceConnectionId: hex('01020304'),
      token: hex('aabb'),
      start: 0,
      packetNumberOffset: 23,
      end: 30,
    });
  });

  test('[QT-01] a second packet of the datagram is read from where the first ends', () => {
    const handshake = hex('e0 00000001 01 aa 00 05 0102030405');
    const datagram = Buffer.concat([INITIAL, handshake]);
    const end = parseLongHeader(datagram)?.end ?? 0;
    const header = parseLongHeader(datagram, end);
    expect(header).toMatchObject({ type: 'handshake', start: 30, packetNumberOffset: 39, end: datagram.length });
    expect(header?.destinationConnectionId).toEqual(hex('aa'));
  });

  test('[QT-01] truncated at any byte it is no packet', () => {
    for (let length = 0; length < INITIAL.length; length++)
      expect(parseLongHeader(INITIAL.subarray(0, length))).toBeNull();
  });

  test.each([
    ['short header', '43 8394c8f03e515708 00000000 0000'],
    ['Fixed Bit 0', '83 00000001 01 aa 00 00 04 00000000'],
    ['DCID of 21 bytes', `c3 00000001 15 ${'aa'.repeat(21)} 00 00 04 00000000`],
    ['SCID of 21 bytes', `c3 00000001 00 15 ${'aa'.repeat(21)} 00 04 00000000`],
    ['token beyond the end', 'c3 00000001 01 aa 00 7fff 04 00000000'],
    ['length of 2^62-1', 'c3 00000001 01 aa 00 00 ffffffffffffffff 00000000'],
    ['Retry without room for its tag', `ff 00000001 01 aa 00 ${'00'.repeat(15)}`],
  ])('[QT-01] refused: %s', (_, text) => {
    expect(parseLongHeader(hex(text))).toBeNull();
  });

  test('[QT-03] another version is read as far as RFC 8999 goes, connection IDs of 255 bytes included', () => {
    const datagram = hex(`80 1a2a3a4a ff ${'ab'.repeat(255)} ff ${'cd'.repeat(255)} 0102`);
    const header = parseLongHeader(datagram);
    expect(header).toMatchObject({ type: 'other-version', version: 0x1a2a3a4a, end: datagram.length });
    expect(header?.destinationConnectionId).toEqual(Buffer.alloc(255, 0xab));
    expect(header?.sourceConnectionId).toEqual(Buffer.alloc(255, 0xcd));
  });

  test('[QT-03] version 0 is Version Negotiation, which is never answered', () => {
    expect(parseLongHeader(hex('80 00000000 01 aa 01 bb 00000001'))?.type).toBe('version-negotiation');
  });

  test('[QT-02] a Retry tells its token', () => {
    const header = parseLongHeader(hex(`ff 00000001 00 08 f067a5502a4262b5 746f6b656e ${'00'.repeat(16)}`));
    expect(header).toMatchObject({ type: 'retry', token: Buffer.from('token') });
  });
});

describe('Keys for routing', () => {
  test('[QT-04] long and short headers of one connection ID give one key', () => {
    const id = hex('8394c8f03e515708');
    const short = Buffer.concat([hex('43'), id, hex('0000000000')]);
    expect(isLongHeader(INITIAL)).toBe(true);
    expect(isLongHeader(short)).toBe(false);
    expect(destinationConnectionIdKey(INITIAL, 8)).toBe(connectionIdKey(id));
    expect(destinationConnectionIdKey(short, 8)).toBe(connectionIdKey(id));
  });

  test('[QT-04] keys differ for every byte value', () => {
    const keys = Array.from({ length: 256 }, (_, byte) => connectionIdKey(Uint8Array.of(byte, 255 - byte)));
    expect(new Set(keys).size).toBe(256);
  });

  test.each(['', '43', '43 83', 'c0', 'c0 00000001', 'c0 00000001 08 83'])('[QT-04] %s has none', (text) => {
    expect(destinationConnectionIdKey(hex(text), 8)).toBeNull();
  });
});

describe('Variable-length integers (RFC 9000 appendix A.1)', () => {
  test.each([
    ['25', 37],
    ['7bbd', 15_293],
    ['9d7f3e7d', 494_878_333],
    ['3f', 63],
    ['4040', 64],
    ['7fff', 16_383],
    ['80004000', 16_384],
    ['bfffffff', 2 ** 30 - 1],
    ['c000000040000000', 2 ** 30],
    ['c01fffffffffffff', Number.MAX_SAFE_INTEGER],
  ])('[QT-01] %s is %d', (text, value) => {
    expect(readVarint(hex(text), 0)).toEqual({ value, end: text.length / 2 });
    expect(hex(text).equals(encodeVarint(value))).toBe(true);
  });

  test.each(['', '40', '800000', 'c0000000000000', 'c020000000000000', 'c2197c5eff14e88c'])(
    '[QT-01] refused: %s',
    (text) => {
      expect(readVarint(hex(text), 0)).toBeNull();
    },
  );
});

describe('a lone Handshake packet', () => {
  const HANDSHAKE = hex('e1 00000001 01 aa 01 bb 4004 01020304');

  test('[QT-01] is one that fills its datagram', () => {
    expect(isLoneHandshakePacket(HANDSHAKE)).toBe(true);
  });

  test.each([
    ['with another packet behind it', Buffer.concat([HANDSHAKE, INITIAL])],
    ['behind another packet', Buffer.concat([INITIAL, HANDSHAKE])],
    ['of which the end is missing', HANDSHAKE.subarray(0, -1)],
    ['of another version', hex('e1 00000002 01 aa 01 bb 4004 01020304')],
  ])('[QT-01] is none %s', (_, datagram) => {
    expect(isLoneHandshakePacket(datagram)).toBe(false);
  });
});
