import { beforeAll, describe, expect, test } from 'vitest';
import { ScramClient } from '../src/client/scram-client.ts';
import { deriveScramKeys, hmac, prepareString, xor } from '../src/scram-keys.ts';
import { AccountStore, type CredentialSource } from '../src/server/accounts.ts';
import { PlainServer } from '../src/server/plain.ts';
import type { SaslStep } from '../src/server/sasl-mechanism.ts';
import { type ScramContext, ScramServer } from '../src/server/scram.ts';

const DOMAIN = 'capulet.example';

/** The example of RFC 7677 §3. */
const VECTOR = {
  clientNonce: 'rOprNGfwEbeRWgbNEkqO',
  serverNonce: '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
  salt: 'W22ZaJ0SNY7soEsUEjb6gQ==',
  clientFirst: 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
  serverFirst: 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
  clientFinal:
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  serverFinal: 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
};

const noBinding: ScramContext = { domain: DOMAIN, plus: false, plusOffered: false, channelBinding: () => null };
const BINDING = Buffer.from('the exporter value of this connection');
const withBinding: ScramContext = {
  domain: DOMAIN,
  plus: true,
  plusOffered: true,
  channelBinding: (type) => (type === 'tls-exporter' ? BINDING : null),
};

const bytes = (text: string): Buffer => Buffer.from(text);

function textOf(step: SaslStep): string {
  if (step.type === 'failure') return step.condition;
  return Buffer.from(step.data ?? []).toString();
}

describe('SCRAM-SHA-256 with the example of RFC 7677', () => {
  let source: CredentialSource;

  beforeAll(async () => {
    const salt = Buffer.from(VECTOR.salt, 'base64');
    const { storedKey, serverKey } = await deriveScramKeys('pencil', salt, 4096);
    source = { credentialOf: () => ({ salt, iterations: 4096, storedKey, serverKey }) };
  });

  test('[RFC 7677 §3] the server says what the example says', async () => {
    const server = new ScramServer(source, { ...noBinding, nonce: VECTOR.serverNonce });
    expect(textOf(await server.step(bytes(VECTOR.clientFirst)))).toBe(VECTOR.serverFirst);
    const last = await server.step(bytes(VECTOR.clientFinal));
    expect(last.type).toBe('success');
    expect(textOf(last)).toBe(VECTOR.serverFinal);
  });

  test('[RFC 7677 §3] the client says what the example says', async () => {
    const client = new ScramClient({
      username: 'user',
      password: 'pencil',
      binding: null,
      couldBind: false,
      nonce: VECTOR.clientNonce,
    });
    expect(client.first()).toBe(VECTOR.clientFirst);
    expect(await client.final(VECTOR.serverFirst)).toBe(VECTOR.clientFinal);
    expect(client.verify(VECTOR.serverFinal)).toBe(true);
  });

  test.each([
    ['another nonce', 'r=anotherNonce,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096'],
    ['the nonce of the client alone', 'r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096'],
    ['too few iterations', VECTOR.serverFirst.replace('i=4096', 'i=4095')],
    ['iterations to keep it busy', VECTOR.serverFirst.replace('i=4096', 'i=999999999')],
    ['an extension it does not know', `m=x,${VECTOR.serverFirst}`],
  ])('[RFC 5802 §5] the client does not answer %s', async (_title, serverFirst) => {
    const client = new ScramClient({
      username: 'user',
      password: 'pencil',
      binding: null,
      couldBind: false,
      nonce: VECTOR.clientNonce,
    });
    expect(await client.final(serverFirst)).toBeNull();
  });

  test('[RFC 5802 §5] the client does not take a server that does not know the account', async () => {
    const client = new ScramClient({
      username: 'user',
      password: 'pencil',
      binding: null,
      couldBind: false,
      nonce: VECTOR.clientNonce,
    });
    expect(client.verify(VECTOR.serverFinal)).toBe(false);
    await client.final(VECTOR.serverFirst);
    expect(client.verify('v=AAAATRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')).toBe(false);
    expect(client.verify('e=other-error')).toBe(false);
  });
});

describe('SCRAM-SHA-256', () => {
  let accounts: AccountStore;

  beforeAll(async () => {
    accounts = new AccountStore([DOMAIN]);
    await accounts.add(`juliet@${DOMAIN}`, 'wherefore');
  });

  async function exchange(
    context: ScramContext,
    client: ScramClient,
    change: (message: string) => string = (message) => message,
  ): Promise<SaslStep> {
    const server = new ScramServer(accounts, context);
    const challenge = await server.step(bytes(client.first()));
    if (challenge.type !== 'challenge') return challenge;
    const final = await client.final(textOf(challenge));
    return server.step(bytes(change(final ?? '')));
  }

  const juliet = { username: 'juliet', password: 'wherefore', binding: null, couldBind: false };

  test('[RFC 5802 §3] takes the right password, and the name in any case', async () => {
    const step = await exchange(noBinding, new ScramClient({ ...juliet, username: 'Juliet' }));
    expect(step).toMatchObject({ type: 'success', account: { local: 'juliet', domain: DOMAIN } });
  });

  test.each([
    ['another password', { ...juliet, password: 'therefore' }],
    ['an account that does not exist', { ...juliet, username: 'tybalt' }],
    ['a name that is no localpart', { ...juliet, username: 'jul@iet' }],
    ['a name with a slash', { ...juliet, username: 'x/juliet' }],
  ])('[RFC 5802 §7] refuses %s with not-authorized', async (_title, options) => {
    expect(textOf(await exchange(noBinding, new ScramClient(options)))).toBe('not-authorized');
  });

  test('[RFC 5802 §9] an account that does not exist cannot be told from one that does', async () => {
    const challenge = async (name: string): Promise<string> =>
      textOf(await new ScramServer(accounts, { ...noBinding, nonce: 'server' }).step(bytes(`n,,n=${name},r=client`)));
    const [real, unknown, again, other] = [
      await challenge('juliet'),
      await challenge('tybalt'),
      await challenge('tybalt'),
      await challenge('mercutio'),
    ];
    const form = /^r=clientserver,s=[A-Za-z0-9+/]{22}==,i=10000$/;
    expect(real).toMatch(form);
    expect(unknown).toMatch(form);
    expect(again).toBe(unknown);
    expect(other).not.toBe(unknown);
  });

  test.each([
    ['another nonce', (text: string) => text.replace(/r=[^,]+/, 'r=stolen'), 'not-authorized'],
    ['another channel binding', (text: string) => text.replace(/^c=[^,]+/, 'c=eSws'), 'not-authorized'],
    ['a proof of another length', (text: string) => text.replace(/p=.*/, 'p=AAAA'), 'not-authorized'],
    ['no proof', (text: string) => text.replace(/,p=.*/, ''), 'malformed-request'],
    ['nothing', () => '', 'malformed-request'],
  ])('[RFC 5802 §7] refuses a final message with %s', async (_title, change, condition) => {
    expect(textOf(await exchange(noBinding, new ScramClient(juliet), change))).toBe(condition);
  });

  test.each([
    ['empty', ''],
    ['without a nonce', 'n,,n=juliet'],
    ['with a mandatory extension', 'n,,m=x,n=juliet,r=abc'],
    ['with a bad flag', 'z,,n=juliet,r=abc'],
    ['with a bad escape in the name', 'n,,n=jul=2Fiet,r=abc'],
    ['with a nonce that is not printable', 'n,,n=juliet,r=a\u0001'],
  ])('[RFC 5802 §7] refuses a first message %s', async (_title, message) => {
    expect(textOf(await new ScramServer(accounts, noBinding).step(bytes(message)))).toBe('malformed-request');
  });

  test('[RFC 5802 §7] refuses what is not UTF-8', async () => {
    const message = Buffer.concat([bytes('n,,n='), Buffer.from([0xff]), bytes(',r=abc')]);
    expect(textOf(await new ScramServer(accounts, noBinding).step(message))).toBe('malformed-request');
  });

  test.each<[string, ScramContext, string, { readonly couldBind?: boolean; readonly binding?: Uint8Array }]>([
    ['n: the client cannot bind', noBinding, 'success', { couldBind: false }],
    ['y: it could, and nothing was offered', noBinding, 'success', { couldBind: true }],
    [
      'y: it could, and we offered it: a downgrade',
      { ...withBinding, plus: false },
      'not-authorized',
      { couldBind: true },
    ],
    ['p, but the mechanism without PLUS', { ...withBinding, plus: false }, 'not-authorized', { binding: BINDING }],
    ['n, but the mechanism with PLUS', withBinding, 'not-authorized', { couldBind: false }],
    ['p with the data of this connection', withBinding, 'success', { binding: BINDING }],
    ['p with the data of another connection', withBinding, 'not-authorized', { binding: bytes('man in the middle') }],
  ])('[RFC 5802 §6] channel binding flag %s', async (_title, context, expected, { couldBind = true, binding }) => {
    const client = new ScramClient({
      ...juliet,
      couldBind,
      binding: binding === undefined ? null : { type: 'tls-exporter', data: binding },
    });
    const step = await exchange(context, client);
    expect(step.type === 'failure' ? step.condition : step.type).toBe(expected);
  });

  test('[RFC 5802 §6] a channel binding type we do not have', async () => {
    const client = new ScramClient({ ...juliet, couldBind: true, binding: { type: 'tls-unique', data: BINDING } });
    expect(textOf(await exchange(withBinding, client))).toBe('not-authorized');
  });

  test.each([
    [`juliet@${DOMAIN}`, 'success'],
    [`nurse@${DOMAIN}`, 'invalid-authzid'],
  ])('[RFC 6120 §6.3.8] acting as %s', async (authorization, expected) => {
    const header = `n,a=${authorization},`;
    const server = new ScramServer(accounts, noBinding);
    const bare = 'n=juliet,r=client';
    const serverFirst = textOf(await server.step(bytes(header + bare)));
    const [, nonce, salt = ''] = /^r=(.*),s=(.*),i=10000$/.exec(serverFirst) ?? [];
    const withoutProof = `c=${bytes(header).toString('base64')},r=${nonce}`;
    const keys = await deriveScramKeys('wherefore', Buffer.from(salt, 'base64'), 10_000);
    const proof = xor(keys.clientKey, hmac(keys.storedKey, `${bare},${serverFirst},${withoutProof}`));
    const step = await server.step(bytes(`${withoutProof},p=${proof.toString('base64')}`));
    expect(step.type === 'failure' ? step.condition : step.type).toBe(expected);
  });
});

describe('PLAIN', () => {
  let accounts: AccountStore;

  beforeAll(async () => {
    accounts = new AccountStore([DOMAIN]);
    await accounts.add(`juliet@${DOMAIN}`, 'wherefore \u00bd');
  });

  test.each([
    ['the right password', '\0juliet\0wherefore \u00bd', 'success'],
    ['a password that SASLprep makes equal', '\0juliet\0wherefore 1\u20442', 'success'],
    ['its own address as authorization identity', `juliet@${DOMAIN}\0juliet\0wherefore \u00bd`, 'success'],
    ['the address of somebody else', `nurse@${DOMAIN}\0juliet\0wherefore \u00bd`, 'invalid-authzid'],
    ['another password', '\0juliet\0therefore', 'not-authorized'],
    ['an account that does not exist', '\0tybalt\0wherefore', 'not-authorized'],
    ['a password with a control character', '\0juliet\0where\u0007fore', 'not-authorized'],
    ['no password', '\0juliet\0', 'malformed-request'],
    ['too few parts', 'juliet', 'malformed-request'],
    ['too many parts', '\0juliet\0a\0b', 'malformed-request'],
  ])('[RFC 4616 §2] with %s', async (_title, message, expected) => {
    const step = await new PlainServer(accounts, DOMAIN).step(bytes(message));
    expect(step.type === 'failure' ? step.condition : step.type).toBe(expected);
  });
});

test.each([
  ['I\u00adX', 'IX'],
  ['user', 'user'],
  ['USER', 'USER'],
  ['\u00aa', 'a'],
  ['\u2168', 'IX'],
  ['a\u00a0b', 'a b'],
  ['\u0007', null],
  ['', null],
])('[RFC 4013 §3] prepares %j as %j', (text, prepared) => {
  expect(prepareString(text)).toBe(prepared);
});
