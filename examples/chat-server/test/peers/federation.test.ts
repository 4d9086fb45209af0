import { createTestCa } from '@stanzaport/testing';
import { describe, expect, test } from 'vitest';
import { conditionOf } from '../../src/client/login.ts';
import { ESCALUS, federate, JULIET, OURS, THEIRS } from './tools/federation.ts';
import { runSlixmpp } from './tools/slixmpp-client.ts';
import { spoken, talk } from './tools/talk.ts';

const COUNT = 100;
const BY_ESCALUS = 'If ever you disturb our streets again, <&> “ü” 💌';
const BY_JULIET = 'O Romeo, Romeo!';

describe.each(['direct-tls', 'starttls'] as const)('Prosody over %s', (transport) => {
  test('[CERT-21] [CERT-22] federates by SASL EXTERNAL: 100 lines each way, in order', () =>
    federate({ transport }, async ({ ours, prosody, escalus }) => {
      const juliet = await ours.logIn(JULIET);
      const [heardByEscalus, heardByJuliet] = await Promise.all([
        runSlixmpp({ ...escalus, to: [JULIET], count: COUNT, text: BY_ESCALUS }),
        talk(juliet, { peers: [ESCALUS], count: COUNT, text: BY_JULIET }),
      ]);
      expect(heardByEscalus).toMatchObject({ error: null, received: { [JULIET]: spoken(COUNT, BY_JULIET) } });
      expect(heardByJuliet).toEqual({ [ESCALUS]: spoken(COUNT, BY_ESCALUS) });

      await prosody.line(/Accepting SASL EXTERNAL identity from capulet\.example/);
      await prosody.line(/Outgoing s2s connection verona\.example->capulet\.example complete/);
      expect(await ours.logged('a server is authenticated')).toMatchObject({ local: OURS, remote: THEIRS });
      expect(await ours.logged('the outgoing stream is open')).toMatchObject({ from: OURS, to: THEIRS, transport });
    }));

  test.each([
    ['unknown-ca', /No path leads to a trust anchor/],
    ['expired', /A certificate ended/],
    ['wrong-host', /The certificate does not name who was asked for/],
  ] as const)('[CERT-21] [Q-23] is refused both ways with a certificate that is bad: %s', (fault, reason) =>
    federate({ transport, theirs: ({ ca }) => ca.issueBad(fault, THEIRS) }, async ({ ours, prosody, escalus }) => {
      const juliet = await ours.logIn(JULIET);
      juliet.sendMessage(ESCALUS, BY_JULIET);
      expect(conditionOf(await juliet.nextMessage())).toBe('remote-server-timeout');
      expect(await ours.logged('the outgoing stream failed')).toMatchObject({
        code: 'XMPP_CERTIFICATE_REFUSED',
        reason: expect.stringMatching(reason),
      });

      const { error } = await runSlixmpp({ ...escalus, to: [JULIET], count: 1, text: BY_ESCALUS, unannounced: true });
      expect(error).toMatch(/^bounced: /);
      expect(await ours.logged('a server is refused')).toMatchObject({
        from: THEIRS,
        to: OURS,
        detail: expect.stringMatching(reason),
      });
      expect(await prosody.line(/Session closed by remote with error: not-authorized/)).toMatch(reason);
    }),
  );

  test('[Q-23] refuses us both ways where our certificate is bad', async () => {
    const unknown = await createTestCa();
    await federate(
      { transport, ours: () => unknown.issue({ dnsNames: [OURS] }) },
      async ({ ours, prosody, escalus }) => {
        const juliet = await ours.logIn(JULIET, unknown.rootPem);
        juliet.sendMessage(ESCALUS, BY_JULIET);
        expect(conditionOf(await juliet.nextMessage())).toBe('remote-server-timeout');
        await prosody.line(/Incoming s2s stream .* closed: Your server's certificate is not trusted/);

        const { error } = await runSlixmpp({ ...escalus, to: [JULIET], count: 1, text: BY_ESCALUS, unannounced: true });
        expect(error).toMatch(/^bounced: /);
        await prosody.line(/Outgoing s2s stream .* closed: Your server's certificate is not trusted/);
      },
    );
  });
});
