import { coreModule } from '@stanzaport/core';
import { createTestCa } from '@stanzaport/testing';
import { CERTIFICATE_POLICY, CertificatePolicy, CREDENTIALS, CredentialStore, tlsModule } from '@stanzaport/tls-shared';
import 'reflect-metadata';
import { Container } from 'inversify';
import { expect, test } from 'vitest';
import { recordingLogger } from './tools/recording-logger.ts';

test('[CERT-25] tlsModule binds one store and one policy, which log to the logger of the core', async () => {
  const ca = await createTestCa();
  const { chainPem, keyPem, chainDer } = await ca.issue({ dnsNames: ['a.example'] });
  const { logger, records } = recordingLogger();
  const container = new Container();
  container.load(
    coreModule({ logger }),
    tlsModule({
      credentials: [{ domain: ['a.example', 'b.example'], cert: chainPem, key: keyPem }],
      trust: [ca.rootPem],
    }),
  );
  const credentials = container.get<CredentialStore>(CREDENTIALS);
  const policy = container.get<CertificatePolicy>(CERTIFICATE_POLICY);
  expect(credentials).toBeInstanceOf(CredentialStore);
  expect(policy).toBeInstanceOf(CertificatePolicy);
  expect(container.get(CREDENTIALS)).toBe(credentials);
  expect(container.get(CERTIFICATE_POLICY)).toBe(policy);
  expect(credentials.domains).toEqual(['a.example', 'b.example']);
  expect(policy.verifyPeer(chainDer, { domain: 'a.example', purpose: 'c2s-server' }).verified).toBe(true);
  expect(records).toHaveLength(1);
});

test('[CERT-24] a bad file is the same typed error through the container, once a credential is needed', () => {
  const container = new Container();
  container.load(coreModule(), tlsModule({ credentials: [{ cert: '/absent.crt', key: '/absent.key' }] }));
  const credentials = container.get<CredentialStore>(CREDENTIALS);
  expect(() => credentials.domains).toThrow(
    expect.objectContaining({ code: 'XMPP_BAD_CREDENTIAL', message: expect.stringContaining('/absent.crt') }),
  );
});
