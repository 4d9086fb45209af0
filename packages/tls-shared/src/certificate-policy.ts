import {
  type CertificateReason,
  type IdentityQuestion,
  isIpLiteral,
  type Logger,
  normalizeDomain,
  type PeerVerdict,
  silentLogger,
  TransportError,
} from '@stanzaport/core';
import { alertForCertificate } from './alerts.ts';
import { type Certificate, parseCertificate } from './certificate.ts';
import { isListed, type RevocationList } from './crl.ts';
import { endEntityMatch, hasPinnedKey, readDelegations, type UsableDelegations } from './delegation.ts';
import { DerError } from './der.ts';
import { findAddress, findMatch } from './identity.ts';
import {
  checkAlone,
  EXTENDED_KEY_USAGE,
  PATH_LIMITS,
  type PathQuestion,
  type Refusal,
  validatePath,
} from './path-validation.ts';
import { type CrlSource, checkRevocation, readRevocationLists } from './revocation.ts';
import { SignatureMemo } from './signature-memo.ts';
import { TrustAnchors, type TrustSource } from './trust.ts';

/** What a deployment may say about the certificates of its peers. */
export interface CertificatePolicyOptions {
  /** Trust anchors: those that come with Node.js, or given ones. @defaultValue `'system'` */
  readonly trust?: 'system' | readonly TrustSource[];
  /**
   * `sufficient`: the pinned key of an end-entity certificate is good without path and name (XEP-0487). `required`: a
   * server needs a path, a name, and a pinned key on that path; one whose domain gave no pins is refused. Clients are not
   * concerned. @defaultValue `'sufficient'`
   */
  readonly pinMode?: 'sufficient' | 'required';
  /** Lists of revoked certificates: who is on one is refused. Nothing is ever fetched. @defaultValue none */
  readonly crls?: readonly CrlSource[];
  /**
   * `if-known`: a certificate is refused when a CRL or a stapled OCSP response says that it was revoked. `require`: also
   * when neither says of every certificate below the trust anchor that it was not. @defaultValue `'if-known'`
   */
  readonly revocation?: 'if-known' | 'require';
  /**
   * Takes every certificate of every peer for good, so that anyone on the path can read and change all traffic. For
   * trials only; logged, and listed in `security.dangers` of each connection. @defaultValue false
   */
  readonly dangerAcceptAnyCertificate?: boolean;
}

/** When to judge, and what a peer presented beside its chain. */
export interface VerifyCircumstances {
  /** Milliseconds since the epoch. @defaultValue now */
  readonly nowMs?: number;
  /** The OCSP response stapled to the end-entity certificate (RFC 6066 §8), DER. @defaultValue none */
  readonly ocspResponse?: Uint8Array | null;
}

/**
 * Public CAs are ceasing to issue clientAuth, so the certificate of a server is good for it in both directions of
 * s2s (RFC 5280 §4.2.1.12).
 */
const PURPOSES: Record<IdentityQuestion['purpose'], readonly string[]> = {
  'c2s-server': [EXTENDED_KEY_USAGE.serverAuth],
  's2s-server': [EXTENDED_KEY_USAGE.serverAuth],
  's2s-client': [EXTENDED_KEY_USAGE.serverAuth, EXTENDED_KEY_USAGE.clientAuth],
  'c2s-client': [EXTENDED_KEY_USAGE.clientAuth],
};

const PIN_MODES: readonly unknown[] = ['sufficient', 'required'];
const REVOCATION_MODES: readonly unknown[] = ['if-known', 'require'];

/**
 * Judges every peer for every transport: first the path (RFC 5280), then the identity (RFC 6120 §13.7, RFC 9525), and
 * what the domain itself said about who stands for it (XEP-0487, RFC 7711). TLS stacks are asked for the presented chain
 * only; what proves possession of its key is their handshake.
 */
export class CertificatePolicy {
  /** Names of options in force that weaken validation; normally empty. */
  readonly dangers: readonly string[];
  readonly #logger: Logger;
  readonly #pinRequired: boolean;
  readonly #revocationRequired: boolean;
  #anchors: TrustAnchors;
  #crls: readonly RevocationList[];

  /** @throws TransportError `XMPP_BAD_TRUST_ANCHORS`, or `XMPP_BAD_OPTION` for another option that cannot be. */
  constructor(options: CertificatePolicyOptions = {}, logger: Logger = silentLogger) {
    const { pinMode = 'sufficient', revocation = 'if-known', crls = [] } = options;
    if (!PIN_MODES.includes(pinMode)) throw badOption('pinMode', PIN_MODES);
    if (!REVOCATION_MODES.includes(revocation)) throw badOption('revocation', REVOCATION_MODES);
    this.#logger = logger;
    this.#pinRequired = pinMode === 'required';
    this.#revocationRequired = revocation === 'require';
    this.#anchors = new TrustAnchors(options.trust);
    this.#crls = readRevocationLists(crls, logger);
    this.dangers = Object.freeze(options.dangerAcceptAnyCertificate === true ? ['dangerAcceptAnyCertificate'] : []);
    if (this.dangers.length > 0) {
      logger.warn({ dangers: this.dangers }, 'Certificate validation is off: any peer can claim any identity');
    }
  }

  /**
   * Takes other trust anchors for all verdicts from now on.
   * @throws TransportError `XMPP_BAD_TRUST_ANCHORS`; the anchors in force then stay.
   */
  replaceTrust(trust: 'system' | readonly TrustSource[]): void {
    this.#anchors = new TrustAnchors(trust);
  }

  /**
   * Takes other lists of revoked certificates for all verdicts from now on.
   * @throws TransportError `XMPP_BAD_OPTION`; the lists in force then stay.
   */
  replaceCrls(crls: readonly CrlSource[]): void {
    this.#crls = readRevocationLists(crls, this.#logger);
  }

  /**
   * Judges a presented chain for one identity; asked again for every other one. Synchronous, bounded, never throws:
   * whatever goes wrong, or is missing, is a refusal.
   * @param chain what the peer presented, DER, end-entity first; empty when it presented nothing.
   * @param circumstances or the time alone, in milliseconds since the epoch.
   */
  verifyPeer(
    chain: readonly Uint8Array[],
    question: IdentityQuestion,
    circumstances: VerifyCircumstances | number = {},
  ): PeerVerdict {
    try {
      const given = typeof circumstances === 'number' ? { nowMs: circumstances } : circumstances;
      return this.#judge(chain, question, { nowMs: Date.now(), ocspResponse: null, ...given });
    } catch (error) {
      if (error instanceof DerError) return refuse(question, 'encoding', 'A certificate is not correct DER');
      return refuse(question, 'internal', 'The check itself failed');
    }
  }

  #judge(
    chain: readonly Uint8Array[],
    question: IdentityQuestion,
    circumstances: Required<VerifyCircumstances>,
  ): PeerVerdict {
    const [endEntityDer] = chain;
    if (endEntityDer === undefined) return refuse(question, 'absent', 'No certificate was presented');
    if (this.dangers.length > 0) return acceptAny(endEntityDer, question);
    const bytes = chain.reduce((sum, der) => sum + der.length, 0);
    if (chain.length > PATH_LIMITS.certificates || bytes > PATH_LIMITS.bytes) {
      return refuse(question, 'limit', 'The chain has too many certificates or bytes');
    }
    const { nowMs, ocspResponse } = circumstances;
    const presented = chain.map(parseCertificate);
    const [endEntity] = presented as [Certificate];
    const evidence = {
      lists: this.#crls,
      presented,
      ocspResponse,
      required: this.#revocationRequired,
      nowMs,
      memo: new SignatureMemo(),
    };
    const asked: PathQuestion = {
      anchorsNamed: (subject) => this.#anchors.named(subject),
      purposes: PURPOSES[question.purpose],
      nowMs,
      checkRevocation: (path) => checkRevocation(path, evidence),
    };
    const delegations = this.#delegationsOf(question, nowMs);
    const { path, refusal } = validatePath(presented, asked);
    if (path === null) return this.#judgeAlone(endEntity, question, { asked, delegations, path, fault: refusal });
    const { matched, fault } = this.#identify(path, question, delegations);
    if (fault === null) return accept(question, matched, path);
    return this.#judgeAlone(endEntity, question, { asked, delegations, path, fault });
  }

  /** What of the end-entity certificate of a validated path answers the question. */
  #identify(path: readonly Certificate[], question: IdentityQuestion, delegations: UsableDelegations): Identification {
    const matched = findIdentity(path[0] as Certificate, question, delegations);
    if (matched === null) return { matched, fault: NAME_MISMATCH };
    const needsPin = this.#pinRequired && question.purpose !== 'c2s-client';
    if (needsPin && !hasPinnedKey(path, delegations.pins)) return { matched: null, fault: NO_PIN };
    return { matched, fault: null };
  }

  /** Where there is no path, or no name on it: the domain may have named this very certificate or its key. */
  #judgeAlone(
    endEntity: Certificate,
    question: IdentityQuestion,
    { asked, delegations, path, fault }: PathFault,
  ): PeerVerdict {
    const mayStandAlone =
      !this.#pinRequired &&
      (path !== null || !this.#revocationRequired) &&
      fault.reason !== 'revoked' &&
      referenceOf(question) !== null;
    const matched = mayStandAlone ? endEntityMatch(endEntity, delegations) : null;
    const refusal = matched === null ? null : (checkAlone(endEntity, asked) ?? this.#checkListed(endEntity));
    if (refusal !== null) return refuse(question, refusal.reason, refusal.detail);
    return matched === null ? refuse(question, fault.reason, fault.detail) : accept(question, matched, [endEntity]);
  }

  /** Without a path nothing tells whose list it is; that of the deployment itself is believed. */
  #checkListed(endEntity: Certificate): Refusal | null {
    return isListed(endEntity, this.#crls) ? REVOKED : null;
  }

  #delegationsOf(question: IdentityQuestion, nowMs: number): UsableDelegations {
    const given = question.purpose === 'c2s-client' ? [] : (question.delegations ?? []);
    const delegations = readDelegations(given, nowMs);
    if (delegations.unreadable > 0) {
      const fields = { domain: referenceOf(question), count: delegations.unreadable };
      this.#logger.warn(fields, 'Delegations that cannot be read are ignored');
    }
    return delegations;
  }
}

type Identification =
  | { readonly matched: string; readonly fault: null }
  | { readonly matched: null; readonly fault: Refusal };

interface PathFault {
  readonly asked: PathQuestion;
  readonly delegations: UsableDelegations;
  readonly path: readonly Certificate[] | null;
  readonly fault: Refusal;
}

const NAME_MISMATCH: Refusal = { reason: 'name-mismatch', detail: 'The certificate does not name who was asked for' };
const REVOKED: Refusal = { reason: 'revoked', detail: 'The certificate was revoked' };
const NO_PIN: Refusal = { reason: 'pin', detail: 'No key of the path is pinned' };

function findIdentity(
  { subjectAltNames }: Certificate,
  question: IdentityQuestion,
  delegations: UsableDelegations,
): string | null {
  const { domain } = question;
  if (question.purpose === 'c2s-client') {
    return question.jid === null ? 'path' : findAddress(subjectAltNames, { domain, jid: question.jid });
  }
  const { purpose } = question;
  const own = findMatch(subjectAltNames, { domain, purpose });
  if (own !== null || referenceOf(question) === null) return own;
  for (const name of delegations.names) {
    const matched = findMatch(subjectAltNames, { domain: name, purpose });
    if (matched !== null) return `delegated:${matched}`;
  }
  return null;
}

function accept(question: IdentityQuestion, matched: string, path: readonly Certificate[]): PeerVerdict {
  const expiresAtMs = Math.min(...path.map(({ notAfterMs }) => notAfterMs));
  return { verified: true, domain: normalDomain(question), matched, expiresAtMs };
}

function acceptAny(endEntityDer: Uint8Array, question: IdentityQuestion): PeerVerdict {
  const verdict = { verified: true, domain: normalDomain(question), matched: 'any' } as const;
  try {
    return { ...verdict, expiresAtMs: parseCertificate(endEntityDer).notAfterMs };
  } catch {
    return { ...verdict, expiresAtMs: Number.MAX_SAFE_INTEGER };
  }
}

/** Total: also for a question that a program without types made of nothing. */
function refuse(question: IdentityQuestion | undefined, reason: CertificateReason, detail: string): PeerVerdict {
  const presenter = question?.purpose === 's2s-client' || question?.purpose === 'c2s-client' ? 'client' : 'server';
  const alert = alertForCertificate(reason, presenter);
  return { verified: false, domain: normalDomain(question), reason, alert, detail };
}

/** The reference identifier (RFC 9525 §6.1); null for what is no DNS domain, which nothing can prove. */
function referenceOf({ domain }: Pick<IdentityQuestion, 'domain'>): string | null {
  const reference = normalizeDomain(domain);
  return reference === null || isIpLiteral(reference) ? null : reference;
}

function normalDomain(question: IdentityQuestion | undefined): string {
  const domain = question?.domain;
  return typeof domain === 'string' ? (normalizeDomain(domain) ?? domain) : '';
}

const badOption = (name: string, values: readonly unknown[]): TransportError =>
  new TransportError('XMPP_BAD_OPTION', `tls: ${name} is none of ${values.join(', ')}`);
