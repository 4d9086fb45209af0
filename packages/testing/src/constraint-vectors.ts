import { type IssueOptions, otherName, type TestCa } from './certificates.ts';
import { context, contextPrimitive, ia5String, sequence } from './der-writer.ts';
import { DOMAIN, type Expected, NAMED, under, type VectorRecipe, vector } from './vector-recipe.ts';

/** GeneralNames of name constraints (RFC 5280 §4.2.1.10). */
export const dnsTree = (text: string): Uint8Array => contextPrimitive(2, Buffer.from(text));
const srvTree = (text: string): Uint8Array => otherName('1.3.6.1.5.5.7.8.7', ia5String(text));
const ipTree = (...octets: number[]): Uint8Array => contextPrimitive(7, Uint8Array.from(octets));

/** A CA with critical name constraints. */
export function constrained(permitted: readonly Uint8Array[], excluded: readonly Uint8Array[] = []): IssueOptions {
  const subtrees = (number: number, bases: readonly Uint8Array[]): readonly Uint8Array[] =>
    bases.length === 0 ? [] : [context(number, ...bases.map((base) => sequence(base)))];
  const value = sequence(...subtrees(0, permitted), ...subtrees(1, excluded));
  return { extensions: [{ oid: '2.5.29.30', critical: true, value }] };
}

/** Critical extensions and name constraints that the path satisfies or does not (CERT-10). */
export function constraintVectors(ca: TestCa): readonly VectorRecipe[] {
  const BAD = 'name-constraint';
  const row = (name: string, expected: Expected, options: IssueOptions, leaf: IssueOptions = NAMED): VectorRecipe =>
    vector('CERT-10', name, expected, () => under(ca, options, leaf));
  const wildcard: IssueOptions = { dnsNames: [DOMAIN, '*.w.example'] };
  const withSrv = (name: string): IssueOptions => ({ dnsNames: [DOMAIN], srvNames: [name] });
  const addressed: IssueOptions = { ...NAMED, ipAddresses: ['192.0.2.7'] };
  const unknown = (critical: boolean): IssueOptions => ({ extensions: [{ oid: '1.2.3.4', critical, value: NULL }] });
  return [
    row('permitted dNSName', 'good', constrained([dnsTree('a.example')])),
    row('permitted parent', 'good', constrained([dnsTree('example')])),
    row('permitted parent with a dot', 'good', constrained([dnsTree('.example')])),
    row('permitted in other case', 'good', constrained([dnsTree('A.EXAMPLE')])),
    row('one of two permitted', 'good', constrained([dnsTree('b.example'), dnsTree('a.example')])),
    row('another domain permitted', BAD, constrained([dnsTree('.b.example')])),
    row('only domains below permitted', BAD, constrained([dnsTree('.a.example')])),
    row('permitted domain that is only the end of a label', BAD, constrained([dnsTree('xample')])),
    row('excluded dNSName', BAD, constrained([], [dnsTree('a.example')])),
    row('excluded parent', BAD, constrained([], [dnsTree('example')])),
    row('excluded parent with a dot', BAD, constrained([], [dnsTree('.a.example')])),
    row('everything excluded', BAD, constrained([], [dnsTree('')])),
    row('another domain excluded', 'good', constrained([], [dnsTree('b.example')])),
    row('one name of two outside', BAD, constrained([dnsTree('a.example')]), { dnsNames: [DOMAIN, 'b.example'] }),
    row('wildcard inside', 'good', constrained([dnsTree('a.example'), dnsTree('w.example')]), wildcard),
    row('wildcard wider than permitted', BAD, constrained([dnsTree('a.example'), dnsTree('x.w.example')]), wildcard),
    row('wildcard that takes in an excluded name', BAD, constrained([], [dnsTree('x.w.example')]), wildcard),
    row('wildcard beside an excluded name', 'good', constrained([], [dnsTree('x.y.w.example')]), wildcard),
    row('dNSName that cannot be judged', BAD, constrained([dnsTree('example')]), {
      dnsNames: [DOMAIN, 'b ad.example'],
    }),
    row(
      'SRVName outside permitted dNSNames',
      BAD,
      constrained([dnsTree('a.example')]),
      withSrv('_xmpp-server.b.example'),
    ),
    row(
      'SRVName inside permitted dNSNames',
      'good',
      constrained([dnsTree('example')]),
      withSrv('_xmpp-server.b.example'),
    ),
    row('XmppAddr outside permitted dNSNames', BAD, constrained([dnsTree('a.example')]), {
      dnsNames: [DOMAIN],
      xmppAddrs: ['u@b.example'],
    }),
    row('permitted SRVName', 'good', constrained([srvTree('a.example')]), withSrv('_xmpp-server.a.example')),
    row('permitted service', 'good', constrained([srvTree('_xmpp-server')]), withSrv('_xmpp-server.a.example')),
    row('another service permitted', BAD, constrained([srvTree('_sip.a.example')]), withSrv('_xmpp-server.a.example')),
    row(
      'excluded SRVName',
      BAD,
      constrained([], [srvTree('_xmpp-server.a.example')]),
      withSrv('_xmpp-server.a.example'),
    ),
    row('permitted network', 'good', constrained([ipTree(192, 0, 2, 0, 255, 255, 255, 0)]), addressed),
    row('another network permitted', BAD, constrained([ipTree(198, 51, 100, 0, 255, 255, 255, 0)]), addressed),
    row('another network excluded', 'good', constrained([], [ipTree(198, 51, 100, 0, 255, 255, 255, 0)]), addressed),
    row('excluded network', BAD, constrained([], [ipTree(192, 0, 2, 0, 255, 255, 255, 0)]), addressed),
    row(
      'excluded network of the other family',
      'good',
      constrained([], [ipTree(...Array<number>(32).fill(0))]),
      addressed,
    ),
    row('network with a mask that is no prefix', BAD, constrained([ipTree(192, 0, 2, 7, 255, 0, 255, 0)]), addressed),
    row('network of odd length', BAD, constrained([], [ipTree(198, 51, 100)]), addressed),
    row('name constraints without a subtree', 'encoding', constrained([])),
    row('unknown critical extension in a CA', 'unknown-critical-extension', unknown(true)),
    row('unknown critical extension in the leaf', 'unknown-critical-extension', {}, { ...NAMED, ...unknown(true) }),
    row('unknown extension that is not critical', 'good', unknown(false), { ...NAMED, ...unknown(false) }),
  ];
}

const NULL = Uint8Array.of(5, 0);
