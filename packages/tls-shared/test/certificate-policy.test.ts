import { certificateVectors, createTestCa, type TestCa } from '@stanzaport/testing';
import { CertificatePolicy } from '@stanzaport/tls-shared';
import { describe, expect, test } from 'vitest';

const ca: TestCa = await createTestCa();
const policy = new CertificatePolicy({ trust: [ca.rootPem] });

describe('vectors of group D', async () => {
  for (const { requirement, name, credential, question, expected } of await certificateVectors(ca)) {
    test(`[${requirement}] ${name}: ${expected}`, () => {
      const verdict = policy.verifyPeer(credential.chainDer, question);
      expect(verdict.verified ? 'good' : `${verdict.reason}`).toBe(expected);
    });
  }
});
