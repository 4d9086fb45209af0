import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import { expect } from 'vitest';
import { type LogFunction, type Logger, silentLogger } from '../../packages/core/src/index.ts';
import { createTestCa } from '../../packages/testing/src/index.ts';
import { TLS_SETTINGS } from '../../packages/tls-shared/src/index.ts';
import type { Row } from './row.ts';
import { credentialOf, DOMAIN, nextConnection, nextStream, OTHER, type Party, type Stage } from './stage.ts';

const NO_EXPORTER = 'the engine gives neither exporter values nor, so far, tls-server-end-point';

/** Credentials, trust, and what TLS is set to (CERT-24, CERT-25, POL). */
export const TLS_ROWS: readonly Row[] = [
  {
    id: 'CERT-24',
    title: 'credentials are replaced while connections live on, and a bad set leaves the old one in force',
    async run(stage) {
      const [first, second] = [await serverOf(stage), credentialOf(await stage.ca.issue({ dnsNames: [DOMAIN] }))];
      const listener = await stage.listen(first);
      const [before, client] = [await stage.connect(stage.party(), listener), stage.party()];
      const shown = before.security.peerCertificates[0];
      first.credentials.replace([second]);
      const after = await stage.connect(client, listener);
      expect(after.security.peerCertificates[0]).not.toEqual(shown);
      const { key } = credentialOf(await stage.ca.issue({ dnsNames: [DOMAIN] }));
      expect(() => first.credentials.replace([{ ...second, key }])).toThrow(/does not fit/);
      const last = await stage.connect(stage.party(), listener);
      expect(last.security.peerCertificates[0]).toEqual(after.security.peerCertificates[0]);
      const stream = await before.openStream();
      expect(stream.connection.security.peerCertificates[0]).toEqual(shown);
    },
  },
  {
    id: 'CERT-24',
    title: 'trust is replaced for all handshakes from then on, and an empty set is an error',
    async run(stage) {
      const listener = await stage.listen(await serverOf(stage));
      const client = stage.party();
      await stage.connect(client, listener);
      expect(() => client.policy.replaceTrust([])).toThrow(/empty/);
      await stage.connect(client, listener);
      client.policy.replaceTrust([(await createTestCa()).rootPem]);
      expect(await stage.refusal(client, listener)).toMatchObject({ category: 'certificate' });
    },
  },
  {
    id: 'CERT-25',
    title: 'each domain is shown its own certificate, an exact name before a wildcard',
    async run(stage) {
      const exact = await stage.ca.issue({ dnsNames: ['x.a.example'] });
      const wildcard = await stage.ca.issue({ dnsNames: ['*.a.example'] });
      const server = stage.party({
        credentials: [credentialOf(wildcard, '*.a.example'), credentialOf(exact, 'x.a.example')],
      });
      const listener = await stage.listen(server);
      for (const [domain, matched] of [
        ['x.a.example', 'dns:x.a.example'],
        ['y.a.example', 'dns:*.a.example'],
      ] as const) {
        const { security } = await stage.connect(stage.party(), listener, { domain });
        expect(security.verdict).toMatchObject({ verified: true, matched });
      }
    },
  },
  {
    id: 'POL-01',
    title: 'TLS 1.3, and a suite of those that are set',
    async run(stage) {
      const { security } = await stage.connect(stage.party(), await stage.listen(await serverOf(stage)));
      expect(security.tlsVersion).toBe('TLSv1.3');
      // The engine does not tell its own.
      if (stage.name === 'quic') expect(security.cipher).toBeNull();
      else expect(TLS_SETTINGS.cipherSuites13).toContain(security.cipher);
    },
  },
  {
    id: 'POL-02',
    title: 'a domain that is not served is refused, and never shown the certificate of another',
    async run(stage) {
      const listener = await stage.listen(await serverOf(stage));
      const error = await stage.refusal(stage.party(), listener, { domain: OTHER });
      // STARTTLS tells it before TLS, by host-unknown.
      expect(error).toMatchObject({ category: 'tls', alert: stage.name === 'starttls' ? null : 112 });
      const { security } = await stage.connect(stage.party(), listener);
      expect(security.sni).toBe(DOMAIN);
    },
  },
  {
    id: 'POL-03',
    title: 'a listener for servers refuses clients',
    async run(stage) {
      const listener = await stage.listen(await serverOf(stage), 's2s');
      expect(await stage.refusal(stage.party(), listener)).toMatchObject({ category: 'alpn' });
    },
  },
  {
    id: 'POL-04',
    title: 'ALPN tells what is spoken, where it is sent',
    async run(stage) {
      const listener = await stage.listen(await serverOf(stage));
      const accepted = nextConnection(listener);
      const connection = await stage.connect(stage.party(), listener);
      const expected = stage.name === 'starttls' ? null : 'xmpp-client';
      expect([connection.security.alpn, (await accepted).security.alpn]).toEqual([expected, expected]);
    },
  },
  {
    id: 'POL-05',
    title: 'a second connection sends no early data, and over TCP it is not resumed',
    async run(stage) {
      const listener = await stage.listen(await serverOf(stage));
      const client = stage.party();
      for (let round = 0; round < 2; round += 1) {
        const accepted = nextConnection(listener);
        const { security } = await stage.connect(client, listener);
        expect([security.earlyData, (await accepted).security.earlyData]).toEqual(['none', 'none']);
        if (stage.name !== 'quic') expect(security.resumed).toBe(false);
      }
    },
  },
  {
    id: 'POL-06',
    title: 'who was believed once is judged again',
    async run(stage) {
      const leaf = await stage.ca.issue({ dnsNames: [DOMAIN, OTHER] });
      const server = stage.party({ credentials: [credentialOf(leaf, [DOMAIN, OTHER])] });
      const listener = await stage.listen(server);
      const client = stage.party();
      await stage.connect(client, listener);
      await stage.connect(client, listener, { domain: OTHER });
      client.policy.replaceTrust([(await createTestCa()).rootPem]);
      for (const domain of [DOMAIN, OTHER]) {
        expect(await stage.refusal(client, listener, { domain })).toMatchObject({ category: 'certificate' });
      }
    },
  },
  {
    id: 'POL-07',
    title: 'tls-exporter is equal at both ends, and another for each connection',
    without: { quic: NO_EXPORTER },
    async run(stage) {
      const listener = await stage.listen(await serverOf(stage));
      const values = new Set<string>();
      for (let round = 0; round < 2; round += 1) {
        const accepted = nextConnection(listener);
        const ends = [await stage.connect(stage.party(), listener), await accepted];
        const [ours, theirs] = ends.map(({ security }) => security.channelBinding('tls-exporter'));
        expect(ours).toHaveLength(32);
        expect(theirs).toEqual(ours);
        values.add(Buffer.from(ours ?? []).toString('hex'));
      }
      expect(values.size).toBe(2);
    },
  },
  {
    id: 'POL-08',
    title: 'tls-server-end-point is of the certificate that was presented, also after a reload',
    async run(stage) {
      const server = await serverOf(stage);
      const listener = await stage.listen(server);
      const accepted = nextConnection(listener);
      const ends = [await stage.connect(stage.party(), listener), await accepted];
      const [presented = new Uint8Array()] = ends[0]?.security.peerCertificates ?? [];
      server.credentials.replace([credentialOf(await stage.ca.issue({ dnsNames: [DOMAIN] }))]);
      for (const { security } of ends) {
        const value = Buffer.from(security.channelBinding('tls-server-end-point') ?? []);
        expect(value).toEqual(createHash('sha256').update(presented).digest());
      }
    },
  },
  {
    id: 'POL-09',
    title: 'no key, no SASL and no stanza is in a log or in an error',
    async run(stage) {
      const { logger, text } = recorder();
      const leaf = await stage.ca.issue({ dnsNames: [DOMAIN] });
      const server = stage.party({ credentials: [credentialOf(leaf)], logger });
      const listener = await stage.listen(server);
      const accepted = nextConnection(listener);
      const connection = await stage.connect(stage.party({ logger }), listener);
      const initiating = await connection.openStream();
      initiating.stanzas$.subscribe({ error: () => undefined });
      initiating.sendHeader({ to: DOMAIN });
      const receiving = await nextStream(await accepted);
      receiving.stanzas$.subscribe({ error: () => undefined });
      initiating.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>cGxhbnRlZC1zYXNs</auth>");
      initiating.send('<message><body>planted-body</wrong>');
      const errors = [(await receiving.closed).error, (await initiating.closed).error];
      errors.push(await stage.refusal(stage.party({ logger }), listener, { domain: OTHER }));
      expect(errors.every((error) => error instanceof Error)).toBe(true);
      const everything = text() + errors.map((error) => inspect(error, { depth: 9 })).join('\n');
      const key = leaf.keyPem.split('\n')[1] ?? '';
      for (const secret of ['planted-body', 'cGxhbnRlZC1zYXNs', key]) {
        expect(secret.length).toBeGreaterThan(10);
        expect(everything).not.toContain(secret);
      }
      expect(text()).not.toBe('');
    },
  },
];

async function serverOf(stage: Stage): Promise<Party> {
  return stage.party({
    credentials: [credentialOf(await stage.ca.issue({ dnsNames: [DOMAIN] }))],
    s2sClientCertificate: 'none',
  });
}

/** Keeps all that is logged at any level. */
function recorder(): { readonly logger: Logger; readonly text: () => string } {
  const records: string[] = [];
  const record: LogFunction = (...args: readonly unknown[]) => {
    records.push(inspect(args, { depth: 9 }));
  };
  const levels = { trace: record, debug: record, info: record, warn: record, error: record };
  const logger: Logger = { ...silentLogger, ...levels, isLevelEnabled: () => true, child: () => logger };
  return { logger, text: () => records.join('\n') };
}
