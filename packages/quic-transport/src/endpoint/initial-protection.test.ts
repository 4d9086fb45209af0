import { describe, expect, test } from 'vitest';
import { initialKeys, openPacket, sealPacket } from './initial-protection.ts';
import { parseLongHeader } from './packet-header.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');

const DCID = hex('8394c8f03e515708');

/** The ClientHello of RFC 9001 appendix A.2, in its CRYPTO frame. */
const CLIENT_CRYPTO = hex(`
  060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c000004130113
  02010000c000000010000e00000b6578616d706c652e636f6dff01000100000a00080006001d00170018001000070005
  04616c706e000500050100000000003300260024001d00209370b2c9caa47fbabaf4559fedba753de171fa71f50f1ce1
  5d43e994ec74d748002b0003020304000d0010000e0403050306030203080408050806002d00020101001c0002400100
  3900320408ffffffffffffffff05048000ffff07048000ffff0801100104800075300901100f088394c8f03e51570806
  048000ffff`);

/** The server's Initial of RFC 9001 appendix A.3. */
const SERVER_HEADER = hex('c1000000010008f067a5502a4262b50040750001');
const SERVER_PAYLOAD = hex(`
  02000000000600405a020000560303eefce7f7b37ba1d1632e96677825ddf73988cfc79825df566dc5430b9a045a1200
  130100002e00330024001d00209d3c940d89690b84d08a60993c144eca684d1081287c834d5311bcf32bb9da1a002b00
  020304`);
const SERVER_PACKET = hex(`
  cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb3
  8cc5a99f5ede4cf73c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84
  022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc42158407dd074ee`);

describe('Initial protection (RFC 9001 appendix A)', () => {
  test('[QT-01] A.1: keys of client and server', () => {
    expect(initialKeys(DCID, 'client')).toEqual({
      key: hex('1f369613dd76d5467730efcbe3b1a22d'),
      iv: hex('fa044b2f42a3fd3b46fb255c'),
      headerProtection: hex('9f50449e04a0e810283a1e9933adedd2'),
    });
    expect(initialKeys(DCID, 'server')).toEqual({
      key: hex('cf3a5331653c364c88f0f379b6067e37'),
      iv: hex('0ac1493ca1905853b0bba03e'),
      headerProtection: hex('c206b8d9b9f0f37644430b490eeaa314'),
    });
  });

  test("[QT-01] A.2: the client's Initial, sealed and opened", () => {
    const payload = Buffer.alloc(1162);
    CLIENT_CRYPTO.copy(payload);
    const keys = initialKeys(DCID, 'client');
    const packet = sealPacket(keys, hex('c300000001088394c8f03e5157080000449e00000002'), payload);
    expect(packet).toHaveLength(1200);
    expect(packet.subarray(0, 22)).toEqual(hex('c000000001088394c8f03e5157080000449e7b9aec34'));
    expect(packet.subarray(22, 38)).toEqual(hex('d1b1c98dd7689fb8ec11d242b123dc9b'));
    expect(packet.subarray(-16)).toEqual(hex('e221af44860018ab0856972e194cd934'));
    expect(openPacket(keys, packet, 18)).toEqual({ packetNumber: 2, payload });
  });

  test("[QT-01] A.3: the server's Initial, sealed and opened", () => {
    const keys = initialKeys(DCID, 'server');
    expect(sealPacket(keys, SERVER_HEADER, SERVER_PAYLOAD)).toEqual(SERVER_PACKET);
    const header = parseLongHeader(SERVER_PACKET);
    const opened = openPacket(keys, SERVER_PACKET, header?.packetNumberOffset ?? 0);
    expect(opened).toEqual({ packetNumber: 1, payload: SERVER_PAYLOAD });
  });

  test('[QT-01] any changed bit, and the keys of the other side, are refused', () => {
    const keys = initialKeys(DCID, 'server');
    for (let bit = 0; bit < SERVER_PACKET.length * 8; bit++) {
      const changed = Buffer.from(SERVER_PACKET);
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(openPacket(keys, changed, 18)).toBeNull();
    }
    expect(openPacket(initialKeys(DCID, 'client'), SERVER_PACKET, 18)).toBeNull();
  });

  test('[QT-01] a packet too short to be sampled is refused, at every length', () => {
    const keys = initialKeys(DCID, 'server');
    for (let length = 0; length < SERVER_PACKET.length; length++) {
      expect(openPacket(keys, SERVER_PACKET.subarray(0, length), 18)).toBeNull();
    }
  });
});
