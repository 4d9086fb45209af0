import { once } from 'node:events';
import { type AddressInfo } from 'node:net';
import { connect, createServer } from 'node:tls';
import { certificateVectors, createTestCa, type TestCredential } from '@stanzaport/testing';
import { expect, test } from 'vitest';

const ca = await createTestCa();

async function judge(credential: TestCredential, domain: string) {
  const server = createServer({ cert: credential.chainPem, key: credential.keyPem });
  server.on('tlsClientError', () => undefined);
  server.on('secureConnection', (s) => s.on('error', () => undefined));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', servername: domain, ca: ca.rootPem, rejectUnauthorized: false });
  try { await once(socket, 'secureConnect'); return socket.authorized ? 'good' : String(socket.authorizationError); }
  catch (e) { return 'ERR ' + (e as Error).message; }
  finally { socket.destroy(); server.close(); }
}
test('x', async () => {
  for (const v of await certificateVectors(ca)) {
    if (!v.servable || v.question.purpose === 's2s-client') continue;
    let r; try { r = await judge(v.credential, v.question.domain); } catch (e) { r = 'THROW ' + (e as Error).message }
    if ((r === 'good') !== (v.expected === 'good') || r.startsWith('THROW')|| r.startsWith('ERR')) process.stderr.write(`${v.requirement} ${v.name}: ours ${v.expected}, OpenSSL ${r}\n`);
  }
}, 60000);
