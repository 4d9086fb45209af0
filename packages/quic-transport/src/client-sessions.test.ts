import { type IdentityQuestion, silentLogger } from '@stanzaport/core';
import { createTestCa } from '@stanzaport/testing';
import { CertificatePolicy } from '@stanzaport/tls-shared';
import { beforeAll, describe, expect, test } from 'vitest';
import { ClientSessions } from './client-sessions.ts';
import { encodeTicket, MemorySessionTicketStore } from './session-tickets.ts';

const QUESTION: IdentityQuestion = { domain: 'capulet.example', purpose: 'c2s-server' };
const KEY = 'xmpp-client capulet.example';
const SESSION = Buffer.from('session');
const LATER = Date.now() + 1_000_000;

let rootPem: string;
let strangerPem: string;
let chain: readonly Uint8Array[];
let expired: readonly Uint8Array[];

beforeAll(async () => {
  const [ca, stranger] = await Promise.all([createTestCa(), createTestCa()]);
  rootPem = ca.rootPem;
  strangerPem = stranger.rootPem;
  const dnsNames = ['capulet.example'];
  chain = (await ca.issue({ dnsNames })).chainDer;
  const lifetime = { notBefore: new Date('2020-01-01'), notAfter: new Date('2020-02-01') };
  expired = (await ca.issue({ dnsNames, ...lifetime })).chainDer;
});

/** Sessions of a client that finds such a ticket in its store. */
function sessionsWith(
  ticket: Partial<{ scope: string; expiresAtMs: number; peerCertificates: readonly Uint8Array[] }> = {},
  trust: readonly string[] = [rootPem],
): ClientSessions {
  const store = new MemorySessionTicketStore();
  const content = { scope: KEY, expiresAtMs: LATER, session: SESSION, peerCertificates: chain, ...ticket };
  store.put(KEY, encodeTicket(content), LATER);
  return new ClientSessions(store, new CertificatePolicy({ trust }), silentLogger);
}

describe('What a client resumes by', () => {
  const scope = { question: QUESTION, localCertificates: [] };

  test('[QT-17] a ticket whose peer would pass today, once', async () => {
    const sessions = sessionsWith();
    expect(await sessions.take(scope)).toEqual(SESSION);
    expect(await sessions.take(scope)).toBe(null);
  });

  test('[QT-17] not one whose certificate has expired, or that is trusted no longer', async () => {
    expect(await sessionsWith({ peerCertificates: expired }).take(scope)).toBe(null);
    expect(await sessionsWith({}, [strangerPem]).take(scope)).toBe(null);
  });

  test('[QT-17] not one that is too old, or of another domain, whatever the store says', async () => {
    expect(await sessionsWith({ expiresAtMs: Date.now() - 1 }).take(scope)).toBe(null);
    expect(await sessionsWith({ scope: 'xmpp-client montague.example' }).take(scope)).toBe(null);
  });

  test('[QT-17] domain, ALPN and the certificate of ours each make a scope', async () => {
    const asked: string[] = [];
    const store = {
      take: (key: string) => {
        asked.push(key);
        return null;
      },
      put: () => undefined,
    };
    const sessions = new ClientSessions(store, new CertificatePolicy({ trust: [rootPem] }), silentLogger);
    const s2s: IdentityQuestion = { domain: 'capulet.example', purpose: 's2s-server' };
    await sessions.take(scope);
    await sessions.take({ question: s2s, localCertificates: [] });
    await sessions.take({ question: s2s, localCertificates: chain });
    await sessions.take({ question: s2s, localCertificates: expired });
    expect(new Set(asked).size).toBe(4);
    expect(asked.slice(0, 2)).toEqual([KEY, 'xmpp-server capulet.example']);
  });

  test('[QT-17] without a store there is nothing', async () => {
    expect(await new ClientSessions(null, new CertificatePolicy(), silentLogger).take(scope)).toBe(null);
  });
});
