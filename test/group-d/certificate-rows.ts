import { expect } from 'vitest';
import { type CertificateError, type CertificateReason, StreamError } from '../../packages/core/src/index.ts';
import {
  type CertificateFault,
  type CertificateVector,
  certificateVectors,
  createCrl,
  type TestCa,
} from '../../packages/testing/src/index.ts';
import type { Row } from './row.ts';
import { credentialOf, DOMAIN, endOf, nextConnection, nextStream, OTHER, type Stage } from './stage.ts';

/** Reason and alert of each fault that a server's certificate can have (RFC 8446 §6.2). */
const FAULTS: Readonly<Record<CertificateFault, readonly [CertificateReason, number]>> = {
  expired: ['expired', 45],
  'not-yet-valid': ['not-yet-valid', 42],
  'wrong-host': ['name-mismatch', 42],
  'common-name-only': ['name-mismatch', 42],
  'self-signed': ['unknown-ca', 48],
  'unknown-ca': ['unknown-ca', 48],
  'no-intermediate': ['unknown-ca', 48],
  'client-only': ['key-usage', 43],
};

/** Which certificates of servers are good (D.1, up to CERT-15). */
export async function certificateRows(ca: TestCa): Promise<readonly Row[]> {
  const faults = Object.keys(FAULTS) as CertificateFault[];
  return [...faults.map(faultRow), OF_THE_DOMAIN, ...(await vectorRows(ca)), REVOKED, UNKNOWN, EXPIRES];
}

function faultRow(fault: CertificateFault): Row {
  const [reason, alert] = FAULTS[fault];
  return {
    id: 'CERT-01',
    title: `a server whose certificate is bad (${fault}) is refused with ${reason} and alert ${alert}, and hears no XMPP`,
    async run(stage) {
      const server = stage.party({ credentials: [credentialOf(await stage.ca.issueBad(fault, DOMAIN))] });
      const listener = await stage.listen(server);
      const ends: ReturnType<typeof endOf>[] = [];
      listener.connections$.subscribe((connection) => ends.push(endOf(connection)));
      const accepted = nextConnection(listener);
      const error = (await stage.refusal(stage.party(), listener)) as CertificateError;
      expect(error).toMatchObject({ category: 'certificate', reason, alert, domain: DOMAIN });
      expect(error.message).toContain(`${DOMAIN} (127.0.0.1 port ${listener.address.port})`);
      // Node.js has no way to send an alert of one's own choice; QUIC says it in CONNECTION_CLOSE (RFC 9001 §4.8).
      if (stage.name === 'quic') {
        expect((await (await accepted).closed).error).toMatchObject({ category: 'certificate', alert });
      }
      await listener.close({ drainMs: 0 });
      for (const end of await Promise.all(ends)) expect(end).toMatchObject({ clean: false, streams: 0 });
    },
  };
}

const OF_THE_DOMAIN: Row = {
  id: 'CERT-02',
  title: 'the domain has to be proved, and not the host that was connected to',
  async run(stage) {
    const ofHost = await stage.ca.issue({ dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] });
    const listener = await stage.listen(stage.party({ credentials: [credentialOf(ofHost)] }));
    const error = await stage.refusal(stage.party(), listener, { host: 'localhost' });
    expect(error).toMatchObject({ reason: 'name-mismatch', domain: DOMAIN });
  },
};

/** What some TLS stack does not take as a credential of its own. */
const UNSERVABLE: ReadonlySet<string> = new Set(['self-signed CA as leaf', 'CA key rsa-1024, signing with sha256']);

/** A good vector of each row, and one of each reason to refuse; all of them run in the tests of the transports. */
async function vectorRows(ca: TestCa): Promise<readonly Row[]> {
  const chosen = new Map<string, CertificateVector>();
  for (const vector of await certificateVectors(ca)) {
    const { requirement, name, question, expected, servable } = vector;
    const key = `${requirement} ${expected}`;
    // A server of ours does not serve everything: the tests of the transports have foreign ones for the rest.
    const isUsable = servable && expected !== 'encoding' && !UNSERVABLE.has(name);
    if (question.purpose === 's2s-client') continue;
    if (isUsable && requirement > 'CERT-02' && !chosen.has(key)) chosen.set(key, vector);
  }
  return [...chosen.values()].map(({ requirement, name, credential, question, expected }) => ({
    id: requirement,
    title: `${name}: ${expected}`,
    async run(stage: Stage) {
      const { domain, purpose } = question;
      const kind = purpose === 'c2s-server' ? 'c2s' : 's2s';
      const server = stage.party({
        credentials: [credentialOf(credential, domain)],
        s2sClientCertificate: 'none',
      });
      const listener = await stage.listen(server, kind);
      if (expected === 'good') {
        const { security } = await stage.connect(stage.party(), listener, { kind, domain });
        expect(security.verdict).toMatchObject({ verified: true });
      } else {
        const error = await stage.refusal(stage.party(), listener, { kind, domain });
        expect(error).toMatchObject({ category: 'certificate', reason: expected });
      }
    },
  }));
}

const REVOKED: Row = {
  id: 'CERT-14',
  title: 'a certificate on the list of its CA is refused with revoked and alert 44',
  async run(stage) {
    const leaf = await stage.ca.issue({ dnsNames: [DOMAIN] });
    const listener = await stage.listen(stage.party({ credentials: [credentialOf(leaf)] }));
    const client = stage.party({ policy: { crls: [createCrl(stage.ca.intermediate)] } });
    await stage.connect(client, listener);
    client.policy.replaceCrls([createCrl(stage.ca.intermediate, { revoked: [leaf] })]);
    expect(await stage.refusal(client, listener)).toMatchObject({ reason: 'revoked', alert: 44 });
  },
};

const UNKNOWN: Row = {
  id: 'CERT-14',
  title: 'where it has to be known, a certificate of which nothing is known is refused',
  async run(stage) {
    const listener = await stage.listen(
      stage.party({ credentials: [credentialOf(await stage.ca.issue({ dnsNames: [DOMAIN] }))] }),
    );
    await stage.connect(stage.party(), listener);
    const strict = stage.party({ policy: { revocation: 'require' } });
    expect(await stage.refusal(strict, listener)).toMatchObject({ reason: 'revocation-unknown', alert: 46 });
  },
};

const EXPIRES: Row = {
  id: 'CERT-15',
  title: 'a stream between servers ends with reset when the certificate it rests on expires',
  async run(stage) {
    const notAfter = new Date(Date.now() + 2_000);
    const server = stage.party({
      credentials: [credentialOf(await stage.ca.issue({ dnsNames: [DOMAIN], notAfter }))],
      s2sClientCertificate: 'none',
    });
    const listener = await stage.listen(server, 's2s');
    const accepted = nextConnection(listener);
    const connection = await stage.connect(stage.party(), listener, { kind: 's2s' });
    const initiating = await connection.openStream();
    initiating.sendHeader({ from: OTHER, to: DOMAIN });
    initiating.stanzas$.subscribe({ error: () => undefined });
    const receiving = await nextStream(await accepted);
    receiving.stanzas$.subscribe({ error: () => undefined });
    receiving.sendHeader();
    for (const stream of [initiating, receiving]) {
      const { error } = await stream.closed;
      expect(error).toBeInstanceOf(StreamError);
      expect(error).toMatchObject({ condition: 'reset' });
    }
  },
};
