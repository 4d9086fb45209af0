import { createTestCa, type IssueOptions, type TestCa, type TestCredential } from '@stanzaport/testing';
import type { EngineCredential } from '../../src/engine/port.ts';

/** Keys and chains the engine tests present to each other. */
export interface TestCredentials {
  /** `server.example`, issued by an intermediate. */
  readonly server: EngineCredential;
  /** `client.example`, issued by the same intermediate. */
  readonly client: EngineCredential;
  /** `old.example`, self-signed and expired. */
  readonly expired: EngineCredential;
}

let ca: Promise<TestCa> | null = null;
let made: Promise<TestCredentials> | null = null;

/** Makes them once for the process. */
export function testCredentials(): Promise<TestCredentials> {
  made ??= make();
  return made;
}

/** Issues one more. */
export async function issueCredential(options: IssueOptions): Promise<EngineCredential> {
  ca ??= createTestCa({ name: 'Engine' });
  return engineCredential(await (await ca).issue(options));
}

async function make(): Promise<TestCredentials> {
  const [server, client, expired] = await Promise.all([
    issueCredential({ dnsNames: ['server.example'] }),
    issueCredential({ dnsNames: ['client.example'] }),
    issueCredential({
      dnsNames: ['old.example'],
      signer: 'self',
      notBefore: new Date('2020-01-01'),
      notAfter: new Date('2020-02-01'),
    }),
  ]);
  return { server, client, expired };
}

const engineCredential = ({ chainPem, keyPem }: TestCredential): EngineCredential => ({
  chainPem: Buffer.from(chainPem),
  keyPem: Buffer.from(keyPem),
});
