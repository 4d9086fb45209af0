import type { Certificate } from './certificate.ts';

const ANY_POLICY = '2.5.29.32.0';

/** What has been found of a path so far, from the trust anchor downwards (RFC 5280 §6.1.2). */
interface PolicyState {
  /** Policies the next certificate may name; null where no policy holds for the path any more. */
  expected: ReadonlySet<string> | null;
  /** Certificates until a policy has to hold, mappings do not count, and anyPolicy does not count. */
  explicitPolicy: number;
  policyMapping: number;
  inhibitAnyPolicy: number;
}

/**
 * Whether the certificate policies of a path hold together (RFC 5280 §6.1). We ask for no policy of our own, and constrain
 * none: so it matters only where a CA of the path demands that there be one, and which one it is does not matter. Sets of
 * policies are enough for that, where RFC 5280 has a tree, which can be made to grow (RFC 9618).
 * @param path from the end-entity certificate to the trust anchor, both included.
 */
export function arePoliciesGood(path: readonly Certificate[]): boolean {
  const [anchor, ...certificates] = [...path].reverse();
  const never = certificates.length + 1;
  const state: PolicyState = {
    expected: new Set([ANY_POLICY]),
    explicitPolicy: never,
    policyMapping: never,
    inhibitAnyPolicy: never,
  };
  if (anchor !== undefined) constrain(state, anchor);
  for (const [index, certificate] of certificates.entries()) {
    const isLast = index === certificates.length - 1;
    state.expected = namedPolicies(state, certificate, isLast);
    if (state.explicitPolicy === 0 && state.expected === null) return false;
    if (isLast) break;
    if (certificate.policyMappings.some(isOfAnyPolicy)) return false;
    state.expected = mapped(state, certificate);
    if (certificate.subject !== certificate.issuer) countDown(state);
    constrain(state, certificate);
  }
  const last = certificates.at(-1)?.policyConstraints ?? null;
  const isDemanded = state.explicitPolicy <= 1 || last?.requireExplicitPolicy === 0;
  return !isDemanded || state.expected !== null;
}

/** RFC 5280 §6.1.3 (d) and (e). */
function namedPolicies(
  { expected, inhibitAnyPolicy }: PolicyState,
  { policies, subject, issuer }: Certificate,
  isLast: boolean,
): ReadonlySet<string> | null {
  if (expected === null || policies === null) return null;
  const named = [...policies].filter((policy) => policy !== ANY_POLICY);
  const valid = new Set(named.filter((policy) => expected.has(policy) || expected.has(ANY_POLICY)));
  const takesAny = inhibitAnyPolicy > 0 || (!isLast && subject === issuer);
  if (policies.has(ANY_POLICY) && takesAny) for (const policy of expected) valid.add(policy);
  return orNull(valid);
}

/** RFC 5280 §6.1.4 (b). */
function mapped({ expected, policyMapping }: PolicyState, { policyMappings }: Certificate): PolicyState['expected'] {
  if (expected === null) return null;
  const after = new Set(expected);
  for (const { issuerDomain } of policyMappings) after.delete(issuerDomain);
  if (policyMapping > 0) {
    for (const { issuerDomain, subjectDomain } of policyMappings) {
      if (expected.has(issuerDomain) || expected.has(ANY_POLICY)) after.add(subjectDomain);
    }
  }
  return orNull(after);
}

/** RFC 5280 §6.1.4 (h). */
function countDown(state: PolicyState): void {
  state.explicitPolicy = Math.max(state.explicitPolicy - 1, 0);
  state.policyMapping = Math.max(state.policyMapping - 1, 0);
  state.inhibitAnyPolicy = Math.max(state.inhibitAnyPolicy - 1, 0);
}

/** RFC 5280 §6.1.4 (i) and (j). */
function constrain(state: PolicyState, { policyConstraints, inhibitAnyPolicy }: Certificate): void {
  const least = (count: number, other: number | null | undefined): number => Math.min(count, other ?? count);
  state.explicitPolicy = least(state.explicitPolicy, policyConstraints?.requireExplicitPolicy);
  state.policyMapping = least(state.policyMapping, policyConstraints?.inhibitPolicyMapping);
  state.inhibitAnyPolicy = least(state.inhibitAnyPolicy, inhibitAnyPolicy);
}

const isOfAnyPolicy = ({ issuerDomain, subjectDomain }: Certificate['policyMappings'][number]): boolean =>
  issuerDomain === ANY_POLICY || subjectDomain === ANY_POLICY;
const orNull = (policies: ReadonlySet<string>): ReadonlySet<string> | null => (policies.size === 0 ? null : policies);
