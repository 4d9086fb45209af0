import { contextTag, DerError, DerReader, readObjectIdentifier, readSmallInteger, readWhole, TAG } from './der.ts';

/** The policies under which a certificate was issued (RFC 5280 §4.2.1.4); qualifiers are for people. */
export function readCertificatePolicies(value: Uint8Array): ReadonlySet<string> {
  const policies = readWhole(value, TAG.sequence).all((list) =>
    readObjectIdentifier(list.enter(TAG.sequence).next(TAG.objectIdentifier)),
  );
  if (policies.length === 0) throw new DerError('Certificate policies without a policy');
  return new Set(policies);
}

/** Which policy of the subject's domain stands for one of the issuer's (RFC 5280 §4.2.1.5). */
export interface PolicyMapping {
  readonly issuerDomain: string;
  readonly subjectDomain: string;
}

export function readPolicyMappings(value: Uint8Array): readonly PolicyMapping[] {
  return readWhole(value, TAG.sequence).all((list) => {
    const mapping = list.enter(TAG.sequence);
    const issuerDomain = readObjectIdentifier(mapping.next(TAG.objectIdentifier));
    const subjectDomain = readObjectIdentifier(mapping.next(TAG.objectIdentifier));
    mapping.end();
    return { issuerDomain, subjectDomain };
  });
}

/** After how many more certificates each holds (RFC 5280 §4.2.1.11); null where it is not demanded. */
export interface PolicyConstraints {
  readonly requireExplicitPolicy: number | null;
  readonly inhibitPolicyMapping: number | null;
}

export function readPolicyConstraints(value: Uint8Array): PolicyConstraints {
  const reader = readWhole(value, TAG.sequence);
  const [explicit, mapping] = [reader.optional(contextTag(0)), reader.optional(contextTag(1))];
  reader.end();
  if (explicit === null && mapping === null) throw new DerError('Policy constraints without a constraint');
  return {
    requireExplicitPolicy: explicit === null ? null : readSmallInteger(explicit),
    inhibitPolicyMapping: mapping === null ? null : readSmallInteger(mapping),
  };
}

/** After how many more certificates anyPolicy does not count (RFC 5280 §4.2.1.14). */
export function readInhibitAnyPolicy(value: Uint8Array): number {
  const reader = new DerReader(value);
  const skipped = readSmallInteger(reader.next(TAG.integer));
  reader.end();
  return skipped;
}
