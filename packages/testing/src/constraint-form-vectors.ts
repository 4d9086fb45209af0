import type { IssueOptions, TestCa } from './certificates.ts';
import { constrained } from './constraint-vectors.ts';
import { context, contextPrimitive, der, objectIdentifier, sequence, set, utf8String } from './der-writer.ts';
import { DOMAIN, type Expected, NAMED, under, type VectorRecipe, vector } from './vector-recipe.ts';

const uri = (text: string): Uint8Array => contextPrimitive(6, Buffer.from(text));
const email = (text: string): Uint8Array => contextPrimitive(1, Buffer.from(text));
const directory = (value: Uint8Array): Uint8Array =>
  context(4, sequence(set(sequence(objectIdentifier('2.5.4.3'), value))));
const commonName = (text: string): Uint8Array => directory(utf8String(text));
const PRINTABLE_STRING = 0x13;
const BMP_STRING = 0x1e;

const BAD = 'name-constraint';

/** Name constraints on directory names, e-mail addresses and URIs (CERT-10), which no XMPP entity is known by. */
export function constraintFormVectors(ca: TestCa): readonly VectorRecipe[] {
  const row = (name: string, expected: Expected, options: IssueOptions, leaf: IssueOptions = NAMED): VectorRecipe =>
    vector('CERT-10', name, expected, () => under(ca, options, leaf));
  const naming = (name: Uint8Array): IssueOptions => ({ dnsNames: [DOMAIN], otherNames: [name] });
  const address = (name: string, expected: Expected, options: IssueOptions, text = 'nurse@b.example'): VectorRecipe =>
    row(`e-mail address, ${name}`, expected, options, naming(email(text)));
  const link = (name: string, expected: Expected, options: IssueOptions, text = 'https://b.example/x'): VectorRecipe =>
    row(`URI, ${name}`, expected, options, naming(uri(text)));
  return [
    row('permitted directory name', 'good', constrained([commonName(DOMAIN)])),
    row('permitted directory name, spelt otherwise', 'good', constrained([directory(der(PRINTABLE_STRING, SPELT))])),
    row('another directory name permitted', BAD, constrained([commonName('b.example')])),
    row('excluded directory name', BAD, constrained([], [commonName(DOMAIN)])),
    row('excluded directory name, spelt otherwise', BAD, constrained([], [directory(der(PRINTABLE_STRING, SPELT))])),
    row('excluded directory name that cannot be compared', BAD, constrained([], [directory(der(BMP_STRING, WIDE))])),
    row('excluded directory name of another alphabet', BAD, constrained([], [commonName('bücher.example')])),
    row('another directory name excluded', 'good', constrained([], [commonName('b.example')])),
    row('directory names constrained, empty subject', 'good', constrained([commonName('b.example')]), {
      ...NAMED,
      commonName: '',
    }),
    row('self-issued leaf outside', BAD, constrained([commonName(DOMAIN)]), { ...NAMED, commonName: 'Sub CA' }),
    vector('CERT-10', 'self-issued CA outside, leaf inside', 'good', async () => {
      const options = constrained([commonName(DOMAIN)]);
      const upper = await ca.issue({ commonName: 'Renewed CA', ca: true, signer: ca.root, ...options });
      const lower = await ca.issue({ commonName: 'Renewed CA', ca: true, signer: upper });
      return ca.issue({ ...NAMED, signer: lower });
    }),

    row('e-mail addresses constrained, one in the subject', BAD, constrained([email('c.example')]), {
      ...NAMED,
      emailAddress: 'postmaster@b.example',
    }),
    row('e-mail addresses constrained, none in the leaf', 'good', constrained([email('b.example')])),
    address('its host permitted', 'good', constrained([email('B.example')])),
    address('its host permitted, but not those below', BAD, constrained([email('b.example')]), 'nurse@x.b.example'),
    address('those below its host permitted', BAD, constrained([email('.b.example')])),
    address('below a permitted domain', 'good', constrained([email('.b.example')]), 'nurse@x.b.example'),
    address('permitted itself', 'good', constrained([email('nurse@b.example')])),
    address('another of its host permitted', BAD, constrained([email('Nurse@b.example')])),
    address('its host excluded', BAD, constrained([], [email('b.example')])),
    address('another host excluded', 'good', constrained([], [email('c.example')])),
    address('that is none', BAD, constrained([], [email('c.example')]), 'nurse'),
    address('that hides a second host', BAD, constrained([email('b.example')]), 'nurse@evil.example@b.example'),
    address('a constraint that is none', BAD, constrained([], [email('c example')])),

    row('URI constraint, no URI', 'good', constrained([uri('b.example')])),
    link('its host permitted', 'good', constrained([uri('b.EXAMPLE')]), 'https://b.example:443/x'),
    link('its host permitted, with a user', 'good', constrained([uri('b.example')]), 'https://user@b.example'),
    link('its host permitted, but not those below', BAD, constrained([uri('b.example')]), 'https://x.b.example/'),
    link('those below its host permitted', BAD, constrained([uri('.b.example')])),
    link('below a permitted domain', 'good', constrained([uri('.b.example')]), 'https://x.b.example/'),
    link('its host excluded', BAD, constrained([], [uri('b.example')])),
    link('another host excluded', 'good', constrained([], [uri('c.example')])),
    link('without a host', BAD, constrained([], [uri('c.example')]), 'xmpp:b.example'),
    link('with an IP address', BAD, constrained([], [uri('c.example')]), 'https://192.0.2.1/'),
    link(
      'with the permitted host as its user',
      BAD,
      constrained([uri('b.example')]),
      'https://b.example@evil.example/',
    ),
  ];
}

/** The subject of the leaf in other case, with white space around. */
const SPELT = Buffer.from(` ${DOMAIN.toUpperCase()}  `);
/** `b`, in a string type that is not read. */
const WIDE = Uint8Array.of(0, 0x62);
