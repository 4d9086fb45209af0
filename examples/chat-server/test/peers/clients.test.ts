import { expect, test } from 'vitest';
import { ExampleServer } from './tools/example-server.ts';
import { runSlixmpp } from './tools/slixmpp-client.ts';
import { PASSWORD, Stage } from './tools/stage.ts';
import { spoken, talk } from './tools/talk.ts';

const JULIET = 'juliet@capulet.example/balcony';
const ROMEO = 'romeo@montague.example/orchard';
const NURSE = 'nurse@capulet.example/chamber';
const DOMAINS = ['capulet.example', 'montague.example'];
const ACCOUNTS = ['juliet@capulet.example', 'romeo@montague.example', 'nurse@capulet.example'];
const COUNT = 100;

test('[TC-02] slixmpp over STARTTLS, slixmpp over Direct TLS and a client over QUIC say 100 lines to each other', async () => {
  using stage = await Stage.set();
  const credential = await stage.ca.issue({ dnsNames: DOMAINS });
  await using server = await ExampleServer.start(stage, { accounts: ACCOUNTS, credential });
  const nurse = await server.logIn(NURSE);
  const common = { password: PASSWORD, ca: stage.caFile, count: COUNT };
  const [juliet, romeo, heardByNurse] = await Promise.all([
    runSlixmpp({
      ...common,
      jid: JULIET,
      tls: 'starttls',
      port: server.port('starttls'),
      mechanism: 'SCRAM-SHA-256',
      to: [ROMEO, NURSE],
      text: 'Is it <night> & day? “ü” 💌',
    }),
    runSlixmpp({
      ...common,
      jid: ROMEO,
      tls: 'direct-tls',
      port: server.port('direct-tls'),
      to: [JULIET, NURSE],
      text: 'It is the east.',
    }),
    talk(nurse, { peers: [JULIET, ROMEO], count: COUNT, text: 'Madam!' }),
  ]);

  const byJuliet = spoken(COUNT, 'Is it <night> & day? “ü” 💌');
  const byRomeo = spoken(COUNT, 'It is the east.');
  const byNurse = spoken(COUNT, 'Madam!');
  expect(juliet).toEqual({
    jid: JULIET,
    tls: 'TLSv1.3',
    alpn: null,
    mechanism: 'SCRAM-SHA-256',
    received: { [ROMEO]: byRomeo, [NURSE]: byNurse },
    error: null,
  });
  expect(romeo).toEqual({
    jid: ROMEO,
    tls: 'TLSv1.3',
    alpn: 'xmpp-client',
    // By itself slixmpp 1.8 binds with tls-unique, which TLS 1.3 does not have (RFC 9266 §1), and takes PLAIN at last.
    mechanism: 'PLAIN',
    received: { [JULIET]: byJuliet, [NURSE]: byNurse },
    error: null,
  });
  expect(heardByNurse).toEqual({ [JULIET]: byJuliet, [ROMEO]: byRomeo });
});

test.each([
  ['starttls', 'unknown-ca'],
  ['starttls', 'expired'],
  ['starttls', 'no-intermediate'],
  ['direct-tls', 'unknown-ca'],
  ['direct-tls', 'expired'],
  ['direct-tls', 'no-intermediate'],
] as const)('[Q-23] slixmpp over %s refuses the server with a certificate that is bad: %s', async (tls, fault) => {
  using stage = await Stage.set();
  const credential = await stage.ca.issueBad(fault, 'capulet.example');
  await using server = await ExampleServer.start(stage, { accounts: ['juliet@capulet.example'], credential });
  const common = { jid: JULIET, password: PASSWORD, tls, port: server.port(tls) };
  const juliet = await runSlixmpp({ ...common, ca: stage.caFile });
  expect(juliet).toMatchObject({ tls: null, error: expect.stringMatching(/certificate/i) });
});

test.each(['starttls', 'direct-tls'] as const)(
  '[TC-02] slixmpp over %s with a wrong password is refused',
  async (tls) => {
    using stage = await Stage.set();
    const credential = await stage.ca.issue({ dnsNames: DOMAINS });
    await using server = await ExampleServer.start(stage, { accounts: ACCOUNTS, credential });
    const common = { jid: JULIET, ca: stage.caFile, tls, port: server.port(tls) };
    expect(await runSlixmpp({ ...common, password: `${PASSWORD}?` })).toMatchObject({ error: 'authentication failed' });
    expect(await runSlixmpp({ ...common, password: PASSWORD })).toMatchObject({ error: null });
  },
);
