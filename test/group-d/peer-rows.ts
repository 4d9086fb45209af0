import { expect } from 'vitest';
import type { Connection } from '../../packages/core/src/index.ts';
import type { TestCredential } from '../../packages/testing/src/index.ts';
import { judgeClientExternal, judgeServerExternal, offersServerExternal } from '../../packages/tls-shared/src/index.ts';
import type { Row } from './row.ts';
import { credentialOf, DOMAIN, nextConnection, OTHER, type Stage } from './stage.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** Certificates of those who connect (CERT-19 to CERT-23). */
export const PEER_ROWS: readonly Row[] = [
  {
    id: 'CERT-19',
    title: 'a self-signed server is let in by TLS, and refused by the from of its header',
    async run(stage) {
      const { security } = await accepted(stage, await stage.ca.issueBad('self-signed', OTHER));
      expect(security.peerCertificates).toHaveLength(1);
      const verdict = security.verify({ domain: OTHER, purpose: 's2s-client' });
      expect(verdict).toMatchObject({ verified: false, reason: 'unknown-ca', alert: 48 });
    },
  },
  {
    id: 'CERT-20',
    title: 'required: who presents no certificate is refused with certificate_required',
    async run(stage) {
      const listener = await stage.listen(await receiver(stage), 's2s');
      const told = await stage.connect(stage.party(), listener, { kind: 's2s' }).then(
        async ({ closed }) => (await closed).error,
        (error: unknown) => error,
      );
      // OpenSSL says it at the end of the handshake, so that a client may have seen it succeed.
      expect(told).toMatchObject({ category: 'certificate', reason: 'refused-by-peer', alert: 116 });
    },
  },
  {
    id: 'CERT-20',
    title: 'none: a server that has one is not asked for it, and has proved nothing',
    async run(stage) {
      const { security } = await accepted(stage, await stage.ca.issue({ dnsNames: [OTHER] }), 'none');
      expect(security.peerCertificates).toEqual([]);
      expect(security.verify({ domain: OTHER, purpose: 's2s-client' })).toMatchObject({ reason: 'absent' });
      expect(offersServerExternal(security, OTHER)).toBe(false);
    },
  },
  {
    id: 'CERT-21',
    title: 'EXTERNAL is for the domains that the certificate proves, each on its own',
    async run(stage) {
      const { security } = await accepted(stage, await stage.ca.issue({ dnsNames: [OTHER, 'c.example'] }));
      const offered = [OTHER, 'c.example', 'd.example'].map((from) => offersServerExternal(security, from));
      expect(offered).toEqual([true, true, false]);
    },
  },
  {
    id: 'CERT-22',
    title: 'EXTERNAL between servers grants the from of the stream, whatever else is asked for',
    async run(stage) {
      const { security } = await accepted(stage, await stage.ca.issue({ dnsNames: [OTHER, 'c.example'] }));
      const outcome = (from: string, response: string): string => {
        const verdict = judgeServerExternal(security, { from, response });
        return verdict.granted ? verdict.identity : verdict.condition;
      };
      expect(outcome(OTHER, '=')).toBe(OTHER);
      expect(outcome(OTHER, base64(OTHER))).toBe(OTHER);
      expect(outcome(OTHER, base64('c.example'))).toBe('invalid-authzid');
      expect(outcome('d.example', '=')).toBe('not-authorized');
      expect(outcome(OTHER, '!')).toBe('incorrect-encoding');
    },
  },
  {
    id: 'CERT-23',
    title: 'a client proves the account that its certificate names, and no other',
    async run(stage) {
      const names = { dnsNames: [OTHER], xmppAddrs: [`u@${DOMAIN}`] };
      const { security } = await accepted(stage, await stage.ca.issue(names));
      const outcome = (domain: string, response: string): string => {
        const verdict = judgeClientExternal(security, { domain, response });
        return verdict.granted ? verdict.identity : verdict.condition;
      };
      expect(outcome(DOMAIN, '=')).toBe(`u@${DOMAIN}`);
      expect(outcome(DOMAIN, base64(`v@${DOMAIN}`))).toBe('invalid-authzid');
      expect(outcome(OTHER, '=')).toBe('not-authorized');
    },
  },
];

async function receiver(stage: Stage, s2sClientCertificate: 'required' | 'none' = 'required') {
  const credentials = [credentialOf(await stage.ca.issue({ dnsNames: [DOMAIN] }))];
  return stage.party({ credentials, s2sClientCertificate });
}

/** The receiving end of a server that connects with this certificate. */
async function accepted(
  stage: Stage,
  certificate: TestCredential,
  asked: 'required' | 'none' = 'required',
): Promise<Connection> {
  const listener = await stage.listen(await receiver(stage, asked), 's2s');
  const next = nextConnection(listener);
  const initiator = stage.party({ credentials: [credentialOf(certificate, OTHER)] });
  await stage.connect(initiator, listener, { kind: 's2s', localDomain: OTHER });
  return next;
}
