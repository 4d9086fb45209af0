import { describe, expect, test } from 'vitest';
import { initialKeys, openPacket } from './initial-protection.ts';
import { parseLongHeader } from './packet-header.ts';
import { refuseInitial, retryPacket, statelessReset, versionNegotiation } from './stateless-packets.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');

const ANSWERED = { destinationConnectionId: hex('8394c8f03e515708'), sourceConnectionId: hex('c1c2c3c4') };

function openRefusal(packet: Uint8Array): Uint8Array | undefined {
  const header = parseLongHeader(packet);
  expect(header).toMatchObject({ type: 'initial', destinationConnectionId: ANSWERED.sourceConnectionId });
  expect(header?.end).toBe(packet.length);
  const keys = initialKeys(ANSWERED.destinationConnectionId, 'server');
  return openPacket(keys, packet, header?.packetNumberOffset ?? 0)?.payload;
}

describe('Refusing an Initial', () => {
  test('[Q-08] the client can open it, and finds CONNECTION_CLOSE with the code and reason', () => {
    expect(openRefusal(refuseInitial(ANSWERED, 0x16d, 'no server name'))).toEqual(
      Buffer.concat([hex('1c 416d 00 0e'), Buffer.from('no server name')]),
    );
  });

  test('[Q-10] codes below 64 and no reason make the shortest frame', () => {
    expect(openRefusal(refuseInitial(ANSWERED, 2))).toEqual(hex('1c 02 00 00'));
  });

  test('[QT-01] it is far smaller than what it answers, and a long reason ends before a whole character', () => {
    const packet = refuseInitial(ANSWERED, 0x178, `x${'é'.repeat(500)}`);
    expect(packet.length).toBeLessThan(200);
    expect(openRefusal(packet)).toEqual(Buffer.concat([hex('1c 4178 00 4063'), Buffer.from(`x${'é'.repeat(49)}`)]));
  });
});

test('[QT-03] Version Negotiation lists version 1 and gives back both connection IDs exchanged', () => {
  expect(versionNegotiation(ANSWERED)).toEqual(hex('c0 00000000 04 c1c2c3c4 08 8394c8f03e515708 00000001'));
});

test('[QT-03] Version Negotiation gives back connection IDs of 255 bytes', () => {
  const long = { destinationConnectionId: Buffer.alloc(255, 1), sourceConnectionId: Buffer.alloc(255, 2) };
  expect(parseLongHeader(versionNegotiation(long))).toMatchObject({
    type: 'version-negotiation',
    destinationConnectionId: long.sourceConnectionId,
    sourceConnectionId: long.destinationConnectionId,
  });
});

test('[QT-02] Retry: the packet of RFC 9001 appendix A.4', () => {
  const answered = { destinationConnectionId: hex('8394c8f03e515708'), sourceConnectionId: Buffer.alloc(0) };
  expect(retryPacket(answered, hex('f067a5502a4262b5'), Buffer.from('token'))).toEqual(
    hex('ff000000010008f067a5502a4262b5746f6b656e04a265ba2eff4d829058fb3f0f2496ba'),
  );
});

describe('Stateless reset', () => {
  const token = hex('000102030405060708090a0b0c0d0e0f');

  test('[QT-07] looks like a short packet, ends in the token, and is shorter than what it answers', () => {
    for (let answered = 22; answered < 100; answered++) {
      const reset = statelessReset(token, answered) as Uint8Array;
      expect(reset.length).toBe(Math.min(answered - 1, 43));
      expect((reset[0] as number) & 0xc0).toBe(0x40);
      expect(reset.subarray(-16)).toEqual(token);
    }
  });

  test('[QT-07] datagrams too short to be answered by a shorter reset are not answered: resets never loop', () => {
    for (let answered = 0; answered < 22; answered++) expect(statelessReset(token, answered)).toBeNull();
    let exchanged = 0;
    for (let last: Uint8Array | null = Buffer.alloc(1200); last !== null; last = statelessReset(token, last.length)) {
      exchanged++;
    }
    expect(exchanged).toBe(24);
  });
});
