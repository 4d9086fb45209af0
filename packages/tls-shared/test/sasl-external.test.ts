import type { ConnectionSecurity } from '@stanzaport/core';
import { createTestCa, fingerprintOf, type IssueOptions } from '@stanzaport/testing';
import {
  CertificatePolicy,
  judgeClientExternal,
  judgeServerExternal,
  offersServerExternal,
  provenAddresses,
} from '@stanzaport/tls-shared';
import { describe, expect, test } from 'vitest';

type Facts = Pick<ConnectionSecurity, 'verify' | 'peerCertificates'>;

const ca = await createTestCa();
const policy = new CertificatePolicy({ trust: [ca.rootPem] });

/** The facts of a connection whose peer presented this. */
async function presenting(options: IssueOptions | null): Promise<Facts> {
  const peerCertificates = options === null ? [] : (await ca.issue(options)).chainDer;
  return { peerCertificates, verify: (question) => policy.verifyPeer(peerCertificates, question) };
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const granted = (identity: string): object => ({ granted: true, identity });
const refused = (condition: string): object => ({ granted: false, condition, detail: expect.any(String) });

describe('EXTERNAL between servers (XEP-0178 §3)', async () => {
  const server = await presenting({
    dnsNames: ['a.example', 'b.example', 'bücher.example'],
    srvNames: ['_xmpp-server.xn--bcher-kva.example'],
  });

  test('[CERT-21] it is offered if the certificate proves the domain of the stream, and only then', async () => {
    expect(
      ['a.example', 'A.Example', 'b.example', 'bücher.example'].map((from) => offersServerExternal(server, from)),
    ).toEqual([true, true, true, true]);
    for (const from of ['c.example', 'x.a.example', '', 'a.example/x', 'u@a.example', '192.0.2.1']) {
      expect(offersServerExternal(server, from), from).toBe(false);
    }
    expect(offersServerExternal(await presenting(null), 'a.example')).toBe(false);
    expect(offersServerExternal(await presenting({ dnsNames: ['a.example'], signer: 'self' }), 'a.example')).toBe(
      false,
    );
    const clientOnly = await presenting({ dnsNames: ['a.example'], extendedKeyUsage: ['codeSigning'] });
    expect(offersServerExternal(clientOnly, 'a.example')).toBe(false);
  });

  test('[CERT-19] [CERT-21] what the domain says of itself counts here too', async () => {
    const credential = await ca.issue({ signer: 'self' });
    const peerCertificates = credential.chainDer;
    const facts: Facts = { peerCertificates, verify: (question) => policy.verifyPeer(peerCertificates, question) };
    const delegations = [fingerprintOf(credential)];
    expect(offersServerExternal(facts, 'a.example', delegations)).toBe(true);
    expect(judgeServerExternal(facts, { from: 'a.example', response: '=', delegations })).toEqual(granted('a.example'));
    expect(judgeServerExternal(facts, { from: 'a.example', response: '=' })).toEqual(refused('not-authorized'));
  });

  test.each([
    ['no initial response', 'a.example', '', granted('a.example')],
    ['an empty response', 'a.example', '=', granted('a.example')],
    ['the domain of the stream', 'a.example', base64('a.example'), granted('a.example')],
    ['the same in other case', 'A.example', base64('a.EXAMPLE'), granted('a.example')],
    ['U-labels for A-labels', 'xn--bcher-kva.example', base64('bücher.example'), granted('xn--bcher-kva.example')],
    ['another domain', 'a.example', base64('c.example'), refused('invalid-authzid')],
    ['another domain of the certificate', 'a.example', base64('b.example'), refused('invalid-authzid')],
    ['a line end behind it', 'a.example', base64('a.example\n'), refused('invalid-authzid')],
    ['an account', 'a.example', base64('u@a.example'), refused('invalid-authzid')],
    ['a NUL', 'a.example', base64('\0'), refused('invalid-authzid')],
    ['a domain that is not proved', 'c.example', base64('c.example'), refused('not-authorized')],
    ['an empty one for a domain that is not proved', 'c.example', '=', refused('not-authorized')],
    ['no domain at all', '', '=', refused('not-authorized')],
    ['no base64', 'a.example', 'a.example', refused('incorrect-encoding')],
    ['base64 without padding', 'a.example', base64('a.exampl').replace(/=+$/, ''), refused('incorrect-encoding')],
    ['base64 with a space', 'a.example', ` ${base64('a.example')}`, refused('incorrect-encoding')],
    ['base64 for URLs', 'a.example', '__79', refused('incorrect-encoding')],
    ['no UTF-8', 'a.example', Buffer.from([0xff, 0xfe]).toString('base64'), refused('incorrect-encoding')],
  ])('[CERT-22] %s', (_, from, response, expected) => {
    expect(judgeServerExternal(server, { from, response })).toEqual(expected);
  });
});

describe('EXTERNAL of a client (XEP-0178 §2)', () => {
  const domain = 'a.example';

  test('[CERT-23] one address and no authorization identity: that one', async () => {
    const client = await presenting({ xmppAddrs: ['Juliet@A.example'] });
    expect(provenAddresses(client, domain)).toEqual(['juliet@a.example']);
    for (const response of ['', '=', base64('juliet@a.example'), base64('JULIET@a.example')]) {
      expect(judgeClientExternal(client, { domain, response })).toEqual(granted('juliet@a.example'));
    }
  });

  test('[CERT-23] of several the one asked for', async () => {
    const client = await presenting({ xmppAddrs: ['juliet@a.example', 'romeo@a.example', 'nurse@b.example'] });
    const judge = (response: string): object => judgeClientExternal(client, { domain, response });
    expect(judge('=')).toEqual(refused('invalid-authzid'));
    expect(judge(base64('romeo@a.example'))).toEqual(granted('romeo@a.example'));
    expect(judge(base64('nurse@b.example'))).toEqual(refused('invalid-authzid'));
    expect(judge(base64('tybalt@a.example'))).toEqual(refused('invalid-authzid'));
    expect(judge(base64('a.example'))).toEqual(refused('invalid-authzid'));
    expect(judge(base64('not a jid'))).toEqual(refused('invalid-authzid'));
    expect(judge('romeo@a.example')).toEqual(refused('incorrect-encoding'));
    expect(provenAddresses(client, domain)).toEqual(['juliet@a.example', 'romeo@a.example']);
    expect(judgeClientExternal(client, { domain: 'b.example', response: '=' })).toEqual(granted('nurse@b.example'));
  });

  test('[CERT-13] [CERT-23] the path is judged once, however many addresses there are', async () => {
    const xmppAddrs = Array.from({ length: 1000 }, (_, index) => `u${index}@a.example`);
    const client = await presenting({ xmppAddrs });
    let verdicts = 0;
    const counted: Facts = {
      ...client,
      verify: (question) => {
        verdicts += 1;
        return client.verify(question);
      },
    };
    expect(provenAddresses(counted, domain)).toHaveLength(1000);
    expect(judgeClientExternal(counted, { domain, response: base64('u7@a.example') })).toEqual(granted('u7@a.example'));
    expect(verdicts).toBe(2);
  });

  test('[CERT-23] the same address twice is one', async () => {
    const client = await presenting({ xmppAddrs: ['juliet@a.example', 'JULIET@a.example'] });
    expect(judgeClientExternal(client, { domain, response: '=' })).toEqual(granted('juliet@a.example'));
  });

  test('[CERT-23] an address with a resource is granted as it is, and never as the whole account', async () => {
    const client = await presenting({ xmppAddrs: ['juliet@a.example/balcony'] });
    const judge = (response: string): object => judgeClientExternal(client, { domain, response });
    expect(judge('=')).toEqual(granted('juliet@a.example/balcony'));
    expect(judge(base64('juliet@a.example'))).toEqual(refused('invalid-authzid'));
    expect(judge(base64('juliet@a.example/balcony'))).toEqual(granted('juliet@a.example/balcony'));
  });

  test('[CERT-23] an address of a domain that is not served', async () => {
    const client = await presenting({ xmppAddrs: ['juliet@b.example'] });
    const mapped = (): string => 'juliet@a.example';
    expect(judgeClientExternal(client, { domain, response: '=', mapped })).toEqual(refused('not-authorized'));
    expect(provenAddresses(client, domain)).toEqual([]);
  });

  test('[CERT-23] without an address only a mapping of the application helps', async () => {
    const client = await presenting({ commonName: 'Juliet Capulet' });
    const judge = (response: string, mapped?: () => string | null): object =>
      judgeClientExternal(client, { domain, response, ...(mapped && { mapped }) });
    const juliet = (): string => 'Juliet@a.example';
    expect(judge('=')).toEqual(refused('not-authorized'));
    expect(judge('=', () => null)).toEqual(refused('not-authorized'));
    expect(judge('=', juliet)).toEqual(granted('juliet@a.example'));
    expect(judge(base64('juliet@a.example'), juliet)).toEqual(granted('juliet@a.example'));
    expect(judge(base64('romeo@a.example'), juliet)).toEqual(refused('invalid-authzid'));
    for (const mapped of ['juliet@b.example', 'a.example', 'not a jid']) {
      expect(
        judge('=', () => mapped),
        mapped,
      ).toEqual(refused('not-authorized'));
    }
  });

  test.each<[string, IssueOptions | null]>([
    ['no certificate', null],
    ['a self-signed one', { signer: 'self' }],
    ['one for servers', { extendedKeyUsage: ['serverAuth'] }],
    ['an expired one', { notBefore: new Date(0), notAfter: new Date(1_000) }],
  ])('[CERT-23] %s is not authorized, and nobody is asked for a mapping', async (_, options) => {
    const asked: string[] = [];
    const mapped = (): string => {
      asked.push('asked');
      return 'juliet@a.example';
    };
    const nameless = await presenting(options);
    expect(judgeClientExternal(nameless, { domain, response: '=', mapped })).toEqual(refused('not-authorized'));
    const named = await presenting(options && { ...options, xmppAddrs: ['juliet@a.example'] });
    expect(judgeClientExternal(named, { domain, response: '=', mapped })).toEqual(refused('not-authorized'));
    expect(provenAddresses(named, domain)).toEqual([]);
    expect(asked).toEqual([]);
  });
});
