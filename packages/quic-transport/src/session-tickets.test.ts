import { describe, expect, test } from 'vitest';
import { createRandom } from '../test/tools/random.ts';
import { decodeTicket, encodeTicket, MemorySessionTicketStore, type SessionTicket } from './session-tickets.ts';

const TICKET: SessionTicket = {
  scope: 'xmpp-client capulet.example',
  expiresAtMs: 1_900_000_000_000,
  session: Buffer.from('session'.repeat(120)),
  peerCertificates: [Buffer.from('leaf'.repeat(200)), Buffer.from('issuer'.repeat(100))],
};

describe('Session tickets', () => {
  test('[QT-17] what a store keeps is what was put there', () => {
    expect(decodeTicket(encodeTicket(TICKET))).toEqual(TICKET);
  });

  test('[QT-17] 1,000 garbled ones are no tickets', () => {
    const ticket = encodeTicket(TICKET);
    const random = createRandom(1);
    for (let round = 0; round < 1_000; round++) {
      const garbled = Buffer.from(ticket);
      for (let left = 1 + random.below(4); left > 0; left--) {
        const at = random.below(garbled.length);
        garbled[at] = (garbled[at] as number) ^ (1 + random.below(255));
      }
      if (!garbled.equals(ticket)) expect(decodeTicket(garbled)).toBe(null);
      expect(decodeTicket(ticket.subarray(0, random.below(ticket.length)))).toBe(null);
      expect(decodeTicket(random.bytes(random.below(200)))).toBe(null);
    }
  });
});

describe('The store in memory', () => {
  const later = Date.now() + 1_000_000;
  const ticket = (text: string): Uint8Array => Buffer.from(text);

  test('[QT-17] gives out the newest ticket of a scope, each once', () => {
    const store = new MemorySessionTicketStore();
    store.put('a', ticket('1'), later);
    store.put('b', ticket('2'), later);
    store.put('a', ticket('3'), later);
    expect([store.take('a'), store.take('a'), store.take('a')]).toEqual([ticket('3'), ticket('1'), null]);
    expect([store.take('c'), store.take('b'), store.size]).toEqual([null, ticket('2'), 0]);
  });

  test('[QT-17] keeps no more than it may, and none that has expired', () => {
    const store = new MemorySessionTicketStore({ maxTickets: 2 });
    for (const text of ['1', '2', '3']) store.put('a', ticket(text), later);
    expect(store.size).toBe(2);
    expect([store.take('a'), store.take('a'), store.take('a')]).toEqual([ticket('3'), ticket('2'), null]);
    store.put('a', ticket('4'), Date.now() - 1);
    expect([store.take('a'), store.size]).toEqual([null, 0]);
  });
});
