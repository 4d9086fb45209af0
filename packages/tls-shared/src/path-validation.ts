import type { CertificateReason } from '@stanzaport/core';
import { type Certificate, KEY_USAGE } from './certificate.ts';
import { emailAddressesIn } from './distinguished-name.ts';
import type { GeneralName } from './general-name.ts';
import { areWithin } from './name-constraints.ts';
import { arePoliciesGood } from './policy-processing.ts';
import { hasAcceptableKey, hasAcceptableSignature, isSignedBy } from './signature.ts';

/** Bounds of path building, against chains made to be expensive. */
export const PATH_LIMITS = {
  /** Certificates presented by a peer. */
  certificates: 10,
  /** All of them together, in bytes. */
  bytes: 65_536,
  /** Signatures checked for one verdict. */
  signatureChecks: 100,
  /** Names compared with name constraints for one path. */
  nameComparisons: 100_000,
} as const;

/** Object identifiers of extended key usages (RFC 5280 §4.2.1.12). */
export const EXTENDED_KEY_USAGE = {
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  ocspSigning: '1.3.6.1.5.5.7.3.9',
} as const;

/** Why a path is refused. */
export interface Refusal {
  readonly reason: CertificateReason;
  /** One sentence for a log; holds nothing that the peer wrote. */
  readonly detail: string;
}

/** What a path has to satisfy. */
export interface PathQuestion {
  /** The trust anchors with this subject. */
  readonly anchorsNamed: (subject: string) => readonly Certificate[];
  /** Extended key usages, one of which the whole path must allow. */
  readonly purposes: readonly string[];
  readonly nowMs: number;
  /** What is known of revocations, asked of each whole path; null where the path may be used. */
  readonly checkRevocation: (path: readonly Certificate[]) => Refusal | null;
}

/** A path from the end-entity certificate to a trust anchor, both included, or why there is none. */
export type PathResult =
  | { readonly path: readonly Certificate[]; readonly refusal: null }
  | { readonly path: null; readonly refusal: Refusal };

/**
 * Builds and validates a path (RFC 5280 §6.1) from the first of `presented` to a trust anchor, over the others in
 * any order. Synchronous, and bounded by {@link PATH_LIMITS}. Trust anchors are held to their own validity, basic
 * and name constraints too, as operators expect; their own signature is not looked at.
 */
export function validatePath(presented: readonly Certificate[], question: PathQuestion): PathResult {
  const [endEntity] = presented;
  if (endEntity === undefined) return refused('absent', 'No certificate was presented');
  const refusal = checkEndEntity(endEntity, question);
  if (refusal !== null) return { path: null, refusal };
  return new PathSearch(presented, question).run(endEntity);
}

class PathSearch {
  readonly #presented: readonly Certificate[];
  readonly #question: PathQuestion;
  #checksLeft = PATH_LIMITS.signatureChecks;
  #refusal: Refusal | null = null;

  constructor(presented: readonly Certificate[], question: PathQuestion) {
    this.#presented = presented;
    this.#question = question;
  }

  run(endEntity: Certificate): PathResult {
    const path = this.#extend([endEntity]);
    if (path !== null) return { path, refusal: null };
    if (this.#refusal?.reason === 'revoked') return { path: null, refusal: this.#refusal };
    if (this.#checksLeft < 0) return refused('limit', 'The path takes too many signature checks');
    return { path: null, refusal: this.#refusal ?? refusal('unknown-ca', 'No path leads to a trust anchor') };
  }

  /** Depth first, trust anchors before presented certificates, so that the shortest way is found first. */
  #extend(path: readonly Certificate[]): readonly Certificate[] | null {
    const top = path[path.length - 1] as Certificate;
    for (const anchor of this.#question.anchorsNamed(top.issuer)) {
      if (!this.#isIssuedBy(top, anchor, true)) continue;
      const whole = [...path, anchor];
      const revocation = this.#question.checkRevocation(whole);
      // That a certificate was revoked outweighs whatever else is wrong, with this path or others.
      if (revocation?.reason === 'revoked') this.#refusal = revocation;
      const fault = checkWhole(whole, this.#question.purposes) ?? revocation;
      if (fault === null) return whole;
      this.#refusal ??= fault;
    }
    for (const issuer of this.#presented) {
      if (issuer.subject !== top.issuer || path.includes(issuer)) continue;
      if (!this.#isIssuedBy(top, issuer, false)) continue;
      const whole = this.#extend([...path, issuer]);
      if (whole !== null) return whole;
    }
    return null;
  }

  #isIssuedBy(certificate: Certificate, issuer: Certificate, isAnchor: boolean): boolean {
    if (this.#checksLeft < 0 || !keyIdsFit(certificate, issuer)) return false;
    const fault = checkSignatureAlgorithm(certificate) ?? checkIssuer(issuer, isAnchor, this.#question.nowMs);
    if (fault !== null) {
      this.#refusal ??= fault;
      return false;
    }
    this.#checksLeft -= 1;
    if (this.#checksLeft < 0) return false;
    if (isSignedBy(certificate, issuer)) return true;
    this.#refusal ??= refusal('bad-signature', 'A signature of the path is not by the key of its issuer');
    return false;
  }
}

/**
 * What a certificate that is good without a path still has to satisfy: its own time, key and usages. It may be one of a
 * CA, as self-signed ones often are.
 */
export function checkAlone(
  certificate: Certificate,
  { purposes, nowMs }: Pick<PathQuestion, 'purposes' | 'nowMs'>,
): Refusal | null {
  if (!purposes.some((purpose) => allowsPurpose(certificate, purpose))) {
    return refusal('key-usage', 'The certificate is not for this purpose');
  }
  return checkSigner(certificate, nowMs);
}

function checkEndEntity(certificate: Certificate, { nowMs }: PathQuestion): Refusal | null {
  if (certificate.basicConstraints?.ca === true) {
    return refusal('key-usage', 'The end-entity certificate is one of a CA');
  }
  return checkSigner(certificate, nowMs);
}

function checkSigner(certificate: Certificate, nowMs: number): Refusal | null {
  if (certificate.keyUsage?.has(KEY_USAGE.digitalSignature) === false) {
    return refusal('key-usage', 'The end-entity certificate is not for digital signatures');
  }
  return checkAny(certificate, nowMs);
}

function checkIssuer(certificate: Certificate, isAnchor: boolean, nowMs: number): Refusal | null {
  // Before version 3 there was no way to say CA; such certificates serve as trust anchors only, by configuration.
  const isOldRoot = isAnchor && certificate.version < 3;
  if (certificate.basicConstraints?.ca !== true && !isOldRoot) {
    return refusal('not-a-ca', 'An issuer of the path is not a CA');
  }
  // RFC 5280 §4.1.2.6.
  if (certificate.subject === '') return refusal('not-a-ca', 'An issuer of the path has no name');
  if (certificate.keyUsage?.has(KEY_USAGE.keyCertSign) === false) {
    return refusal('key-usage', 'A CA of the path is not for signing certificates');
  }
  return checkAny(certificate, nowMs);
}

function checkAny(certificate: Certificate, nowMs: number): Refusal | null {
  if (certificate.hasUnknownCriticalExtension) {
    return refusal('unknown-critical-extension', 'A certificate has a critical extension that is not understood');
  }
  // Asked so that a clock that tells no number refuses.
  if (!(nowMs <= certificate.notAfterMs))
    return refusal('expired', `A certificate ended ${isoDate(certificate.notAfterMs)}`);
  if (!(nowMs >= certificate.notBeforeMs)) {
    return refusal('not-yet-valid', `A certificate begins ${isoDate(certificate.notBeforeMs)}`);
  }
  return hasAcceptableKey(certificate) ? null : refusal('weak', 'A key is too weak or of a kind not accepted');
}

function checkSignatureAlgorithm(certificate: Certificate): Refusal | null {
  if (hasAcceptableSignature(certificate)) return null;
  return refusal('weak', 'A signature algorithm is too weak or of a kind not accepted');
}

/** What concerns several certificates: purposes, path lengths, name constraints, policies. */
function checkWhole(path: readonly Certificate[], purposes: readonly string[]): Refusal | null {
  if (!purposes.some((purpose) => path.every((certificate) => allowsPurpose(certificate, purpose)))) {
    return refusal('key-usage', 'The path is not for this purpose');
  }
  return checkPathLengths(path) ?? checkNameConstraints(path) ?? checkPolicies(path);
}

/** anyExtendedKeyUsage does not count: RFC 5280 §4.2.1.12 lets us ask for the purpose itself, and others do too. */
function allowsPurpose({ extendedKeyUsage }: Certificate, purpose: string): boolean {
  return extendedKeyUsage === null || extendedKeyUsage.has(purpose);
}

/** RFC 5280 §4.2.1.9: counts the intermediates below a CA that are not self-issued. */
function checkPathLengths(path: readonly Certificate[]): Refusal | null {
  let below = 0;
  for (const certificate of path.slice(1)) {
    const allowed = certificate.basicConstraints?.pathLength ?? null;
    if (allowed !== null && below > allowed) return refusal('path-length', 'A CA allows no path of this length');
    if (!isSelfIssued(certificate)) below += 1;
  }
  return null;
}

function checkNameConstraints(path: readonly Certificate[]): Refusal | null {
  let comparisons = 0;
  for (const [index, { nameConstraints }] of path.entries()) {
    if (nameConstraints === null) continue;
    for (const [position, certificate] of path.slice(0, index).entries()) {
      // RFC 5280 §6.1.3 (b): a CA that certifies a new key of its own is not held to the constraints, a leaf is.
      if (position > 0 && isSelfIssued(certificate)) continue;
      const names = [...certificate.subjectAltNames, ...subjectNames(certificate)];
      comparisons += names.length * (nameConstraints.permitted.length + nameConstraints.excluded.length);
      if (comparisons > PATH_LIMITS.nameComparisons) return refusal('limit', 'Too many names to compare');
      if (!areWithin(names, nameConstraints)) {
        return refusal('name-constraint', 'A name is outside the name constraints of a CA of the path');
      }
    }
  }
  return null;
}

function checkPolicies(path: readonly Certificate[]): Refusal | null {
  if (arePoliciesGood(path)) return null;
  return refusal('certificate-policy', 'A CA of the path demands a certificate policy, and none holds for the path');
}

/** RFC 5280 §4.2.1.10: constraints hold for the subject too, and for e-mail addresses in it. */
function subjectNames({ subject, subjectDer }: Certificate): readonly GeneralName[] {
  if (subject === '') return [];
  const addresses = emailAddressesIn(subjectDer);
  return [
    { form: 'directory', bytes: subjectDer },
    // What is no text is outside any constraint, as an empty one is.
    ...addresses.map((text) => ({ form: 'email', text: text ?? '' }) as const),
  ];
}

/** RFC 5280 §4.2.1.1: key identifiers tell keys of one name apart, so that only the right one is tried. */
function keyIdsFit({ authorityKeyId }: Certificate, { subjectKeyId }: Certificate): boolean {
  return authorityKeyId === null || subjectKeyId === null || authorityKeyId === subjectKeyId;
}

const isSelfIssued = ({ subject, issuer }: Certificate): boolean => subject === issuer;
const isoDate = (milliseconds: number): string => new Date(milliseconds).toISOString();
const refusal = (reason: CertificateReason, detail: string): Refusal => ({ reason, detail });
const refused = (reason: CertificateReason, detail: string): PathResult => ({
  path: null,
  refusal: refusal(reason, detail),
});
