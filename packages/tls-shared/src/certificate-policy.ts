import {
  type CertificateReason,
  type IdentityQuestion,
  type Logger,
  normalizeDomain,
  type PeerVerdict,
  silentLogger,
} from '@stanzaport/core';
import { alertForCertificate } from './alerts.ts';
import { type Certificate, parseCertificate } from './certificate.ts';
import { DerError } from './der.ts';
import { findMatch } from './identity.ts';
import { EXTENDED_KEY_USAGE, PATH_LIMITS, validatePath } from './path-validation.ts';
import { TrustAnchors, type TrustSource } from './trust.ts';

/** What a deployment may say about the certificates of its peers. */
export interface CertificatePolicyOptions {
  /** Trust anchors: those that come with Node.js, or given ones. @defaultValue `'system'` */
  readonly trust?: 'system' | readonly TrustSource[];
  /**
   * Takes every certificate of every peer for good, so that anyone on the path can read and change all traffic. For
   * trials only; logged, and listed in `security.dangers` of each connection. @defaultValue false
   */
  readonly dangerAcceptAnyCertificate?: boolean;
}

/**
 * Public CAs are ceasing to issue clientAuth, so the certificate of a server is good for it in both directions of
 * s2s (RFC 5280 §4.2.1.12).
 */
const PURPOSES: Record<IdentityQuestion['purpose'], readonly string[]> = {
  'c2s-server': [EXTENDED_KEY_USAGE.serverAuth],
  's2s-server': [EXTENDED_KEY_USAGE.serverAuth],
  's2s-client': [EXTENDED_KEY_USAGE.serverAuth, EXTENDED_KEY_USAGE.clientAuth],
};

/**
 * Judges every peer for every transport: first the path (RFC 5280), then the identity (RFC 6120 §13.7, RFC 9525).
 * TLS stacks are asked for the presented chain only; what proves possession of its key is their handshake.
 */
export class CertificatePolicy {
  /** Names of options in force that weaken validation; normally empty. */
  readonly dangers: readonly string[];
  #anchors: TrustAnchors;

  /** @throws TransportError `XMPP_BAD_TRUST_ANCHORS`. */
  constructor(options: CertificatePolicyOptions = {}, logger: Logger = silentLogger) {
    this.#anchors = new TrustAnchors(options.trust);
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
   * Judges a presented chain for one identity. Synchronous, bounded, never throws: whatever goes wrong is a refusal.
   * @param chain what the peer presented, DER, end-entity first; empty when it presented nothing.
   * @param nowMs milliseconds since the epoch.
   */
  verifyPeer(chain: readonly Uint8Array[], question: IdentityQuestion, nowMs: number = Date.now()): PeerVerdict {
    try {
      return this.#judge(chain, question, nowMs);
    } catch (error) {
      if (error instanceof DerError) return refuse(question, 'encoding', 'A certificate is not correct DER');
      return refuse(question, 'internal', 'The check itself failed');
    }
  }

  #judge(chain: readonly Uint8Array[], question: IdentityQuestion, nowMs: number): PeerVerdict {
    const [endEntityDer] = chain;
    if (endEntityDer === undefined) return refuse(question, 'absent', 'No certificate was presented');
    if (this.dangers.length > 0) return acceptAny(endEntityDer, question);
    const bytes = chain.reduce((sum, der) => sum + der.length, 0);
    if (chain.length > PATH_LIMITS.certificates || bytes > PATH_LIMITS.bytes) {
      return refuse(question, 'limit', 'The chain has too many certificates or bytes');
    }
    const presented = chain.map(parseCertificate);
    const { path, refusal } = validatePath(presented, {
      anchorsNamed: (subject) => this.#anchors.named(subject),
      purposes: PURPOSES[question.purpose],
      nowMs,
    });
    if (path === null) return refuse(question, refusal.reason, refusal.detail);
    const matched = findMatch((path[0] as Certificate).subjectAltNames, question);
    if (matched === null) return refuse(question, 'name-mismatch', 'The certificate does not name this domain');
    return {
      verified: true,
      domain: normalDomain(question),
      matched,
      expiresAtMs: Math.min(...path.map(({ notAfterMs }) => notAfterMs)),
    };
  }
}

function acceptAny(endEntityDer: Uint8Array, question: IdentityQuestion): PeerVerdict {
  const verdict = { verified: true, domain: normalDomain(question), matched: 'any' } as const;
  try {
    return { ...verdict, expiresAtMs: parseCertificate(endEntityDer).notAfterMs };
  } catch {
    return { ...verdict, expiresAtMs: Number.MAX_SAFE_INTEGER };
  }
}

function refuse(question: IdentityQuestion, reason: CertificateReason, detail: string): PeerVerdict {
  const presenter = question.purpose === 's2s-client' ? 'client' : 'server';
  const alert = alertForCertificate(reason, presenter);
  return { verified: false, domain: normalDomain(question), reason, alert, detail };
}

const normalDomain = ({ domain }: IdentityQuestion): string => normalizeDomain(domain) ?? domain;
