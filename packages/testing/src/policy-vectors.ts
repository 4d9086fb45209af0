import type { IssueOptions, TestCa, TestExtension } from './certificates.ts';
import { contextPrimitive, integer, objectIdentifier, sequence } from './der-writer.ts';
import { NAMED, under, type VectorRecipe, vector } from './vector-recipe.ts';

const FIRST = '2.23.140.1.2.1';
const SECOND = '2.23.140.1.2.2';
const ANY = '2.5.29.32.0';

const policies = (...oids: readonly string[]): TestExtension => ({
  oid: '2.5.29.32',
  critical: true,
  value: sequence(...oids.map((oid) => sequence(objectIdentifier(oid)))),
});
/** requireExplicitPolicy after this many more certificates. */
const explicit = (skipCerts: number, critical = true): TestExtension => ({
  oid: '2.5.29.36',
  critical,
  value: sequence(contextPrimitive(0, Uint8Array.of(skipCerts))),
});
const mapping = (issuerDomain: string, subjectDomain: string): TestExtension => ({
  oid: '2.5.29.33',
  critical: true,
  value: sequence(sequence(objectIdentifier(issuerDomain), objectIdentifier(subjectDomain))),
});
const INHIBIT_ANY: TestExtension = { oid: '2.5.29.54', critical: true, value: integer(0) };
const EMPTY: TestExtension = { oid: '2.5.29.36', critical: true, value: sequence() };

/** Certificate policies, which matter only where a CA demands one (CERT-09); PKITS has more of them. */
export function policyVectors(ca: TestCa): readonly VectorRecipe[] {
  const row = (
    name: string,
    expected: VectorRecipe['expected'],
    upper: readonly TestExtension[],
    lower: readonly TestExtension[] = [],
  ): VectorRecipe => {
    const leaf: IssueOptions = { ...NAMED, extensions: lower };
    return vector('CERT-09', `policies: ${name}`, expected, () => under(ca, { extensions: upper }, leaf));
  };
  const BAD = 'certificate-policy';
  return [
    row('the same, critical', 'good', [policies(FIRST)], [policies(FIRST)]),
    row('none in common, and none demanded', 'good', [policies(FIRST)], [policies(SECOND)]),
    row('one demanded, and there', 'good', [policies(FIRST), explicit(0)], [policies(SECOND, FIRST)]),
    row('one demanded, another there', BAD, [policies(FIRST), explicit(0)], [policies(SECOND)]),
    row('one demanded, none there', BAD, [policies(FIRST), explicit(0)]),
    row('one demanded, not critically', BAD, [policies(FIRST), explicit(0, false)]),
    row('one demanded by a CA that has none', BAD, [explicit(0)], [policies(FIRST)]),
    row('one demanded later than the path is long', 'good', [explicit(2)]),
    row('any', 'good', [policies(ANY), explicit(0)], [policies(SECOND)]),
    row('any, inhibited', BAD, [policies(FIRST), explicit(0), INHIBIT_ANY], [policies(ANY)]),
    row('mapped', 'good', [policies(FIRST), mapping(FIRST, SECOND), explicit(0)], [policies(SECOND)]),
    row('mapped away', BAD, [policies(FIRST), mapping(FIRST, SECOND), explicit(0)], [policies(FIRST)]),
    row('any mapped', BAD, [policies(ANY), mapping(ANY, SECOND)], [policies(SECOND)]),
    { ...row('constraints without a constraint', 'encoding', [EMPTY]), servable: false },
  ];
}
