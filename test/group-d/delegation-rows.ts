import { expect } from 'vitest';
import { delegatedName, fingerprintOf, pinOf } from '../../packages/testing/src/index.ts';
import type { Row } from './row.ts';
import { credentialOf, DOMAIN } from './stage.ts';

/** Who else may stand for a domain, as it has said itself (CERT-16 to CERT-18). */
export const DELEGATION_ROWS: readonly Row[] = [
  {
    id: 'CERT-16',
    title: 'the hoster a domain has named stands for it on that link, and on no other',
    async run(stage) {
      const ofHoster = await stage.ca.issue({ dnsNames: ['x.example'] });
      const listener = await stage.listen(stage.party({ credentials: [credentialOf(ofHoster)] }));
      const client = stage.party();
      const delegated = await stage.connect(client, listener, { delegations: [delegatedName('x.example')] });
      expect(delegated.security.verdict).toMatchObject({ domain: DOMAIN, matched: 'delegated:dns:x.example' });
      const otherLink = { delegations: [delegatedName('y.example')] };
      expect(await stage.refusal(client, listener, otherLink)).toMatchObject({ reason: 'name-mismatch' });
      const past = { delegations: [delegatedName('x.example', Date.now() - 1)] };
      expect(await stage.refusal(client, listener, past)).toMatchObject({ reason: 'name-mismatch' });
    },
  },
  {
    id: 'CERT-17',
    title: 'a fingerprint makes that very certificate good, and another one falls back to its path',
    async run(stage) {
      const selfSigned = await stage.ca.issueBad('self-signed', DOMAIN);
      const other = await stage.ca.issueBad('self-signed', DOMAIN);
      const listener = await stage.listen(stage.party({ credentials: [credentialOf(selfSigned)] }));
      const client = stage.party();
      const { security } = await stage.connect(client, listener, { delegations: [fingerprintOf(selfSigned)] });
      expect(security.verdict).toMatchObject({ verified: true, matched: 'fingerprint:sha-256' });
      const mismatch = { delegations: [fingerprintOf(other)] };
      expect(await stage.refusal(client, listener, mismatch)).toMatchObject({ reason: 'unknown-ca' });

      const good = await stage.ca.issue({ dnsNames: [DOMAIN] });
      const withPath = await stage.listen(stage.party({ credentials: [credentialOf(good)] }));
      expect((await stage.connect(client, withPath, mismatch)).security.verdict).toMatchObject({ verified: true });
      const late = await stage.ca.issueBad('expired', DOMAIN);
      const expired = await stage.listen(stage.party({ credentials: [credentialOf(late)] }));
      const matching = { delegations: [fingerprintOf(late)] };
      expect(await stage.refusal(client, expired, matching)).toMatchObject({ reason: 'expired', alert: 45 });
    },
  },
  {
    id: 'CERT-18',
    title: 'the pinned key of a server is enough; that of a certificate merely appended is not',
    async run(stage) {
      const selfSigned = await stage.ca.issueBad('self-signed', DOMAIN);
      const appended = { chainPem: selfSigned.chainPem + stage.ca.intermediate.pem, keyPem: selfSigned.keyPem };
      const listener = await stage.listen(stage.party({ credentials: [credentialOf(appended)] }));
      const client = stage.party();
      const { security } = await stage.connect(client, listener, { delegations: [pinOf(selfSigned)] });
      expect(security.verdict).toMatchObject({ verified: true, matched: 'pin:sha-256' });
      const ofCa = { delegations: [pinOf(stage.ca.intermediate)] };
      expect(await stage.refusal(client, listener, ofCa)).toMatchObject({ reason: 'unknown-ca' });
    },
  },
  {
    id: 'CERT-18',
    title: 'where a pin is required, a good certificate without it is refused with pin',
    async run(stage) {
      const leaf = await stage.ca.issue({ dnsNames: [DOMAIN] });
      const listener = await stage.listen(stage.party({ credentials: [credentialOf(leaf)] }));
      const strict = stage.party({ policy: { pinMode: 'required' } });
      expect(await stage.refusal(strict, listener)).toMatchObject({ reason: 'pin', alert: 42 });
      const pinned = { delegations: [pinOf(leaf)] };
      expect((await stage.connect(strict, listener, pinned)).security.verdict).toMatchObject({ verified: true });
    },
  },
];
