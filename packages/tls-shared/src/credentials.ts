import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIpLiteral, type Logger, normalizeDomain, silentLogger, TransportError } from '@stanzaport/core';
import { type Certificate, parseCertificate } from './certificate.ts';
import { findMatch, presentedDomains } from './identity.ts';
import { isPem, readPemCertificates, toPemCertificate } from './pem.ts';

/** One certificate with its key, and the domains it is presented for. */
export interface CredentialOptions {
  /**
   * Domain or domains (Unicode or A-labels) whose SNI this credential answers; `*.a.example` answers one label more.
   * @defaultValue the domains in the certificate
   */
  readonly domain?: string | readonly string[];
  /** Path of a PEM file, or PEM: the certificate first, then those that lead to the root. */
  readonly cert: string;
  /** Path of a PEM file, or PEM: the private key, not encrypted. */
  readonly key: string;
}

/** A credential that was read and checked. It prints without its key. */
export class Credential {
  /** A-labels, lower case; some may be `*.a.example`. */
  readonly domains: readonly string[];
  readonly leaf: X509Certificate;
  /** The chain as presented, DER, end-entity first. */
  readonly chainDer: readonly Uint8Array[];
  readonly #chainPem: Buffer;
  readonly #keyPem: Buffer;

  constructor(domains: readonly string[], chainDer: readonly Uint8Array[], key: KeyObject) {
    this.domains = Object.freeze([...domains]);
    this.chainDer = Object.freeze([...chainDer]);
    this.leaf = new X509Certificate(chainDer[0] ?? new Uint8Array());
    this.#chainPem = Buffer.from(chainDer.map(toPemCertificate).join(''));
    this.#keyPem = Buffer.from(key.export({ type: 'pkcs8', format: 'pem' }));
  }

  /** The chain as PEM, end-entity first. */
  get chainPem(): Buffer {
    return this.#chainPem;
  }

  /** The private key as PEM, PKCS #8. */
  get keyPem(): Buffer {
    return this.#keyPem;
  }
}

/** The credentials of this host, chosen by server name (RFC 6066 §3). */
export class CredentialStore {
  readonly #logger: Logger;
  /** Null until the files are read. */
  #byDomain: ReadonlyMap<string, Credential> | null = null;
  #options: readonly CredentialOptions[];

  /**
   * Reads and checks every credential.
   * @param readsWhen `on-first-use` leaves the reading, and the throwing, to the first call that needs a credential: a
   *   listener that starts, rather than the wiring of an application.
   * @throws TransportError `XMPP_BAD_CREDENTIAL`, naming the file, if one cannot be read or parsed, the key does not
   *   fit, or there is no domain to serve it for; `XMPP_BAD_OPTION` for a domain that is none or is given twice.
   */
  constructor(
    options: readonly CredentialOptions[] = [],
    logger: Logger = silentLogger,
    readsWhen: 'now' | 'on-first-use' = 'now',
  ) {
    this.#logger = logger;
    this.#options = options;
    if (readsWhen === 'now') this.#credentials();
  }

  #credentials(): ReadonlyMap<string, Credential> {
    this.#byDomain ??= this.#load(this.#options);
    return this.#byDomain;
  }

  /**
   * Takes other credentials for all handshakes from now on; connections that stand keep what they presented.
   * @throws TransportError as the constructor does; the credentials in force then stay.
   */
  replace(options: readonly CredentialOptions[]): void {
    this.#byDomain = this.#load(options);
    this.#options = options;
  }

  /** Every domain served, A-labels; some may be `*.a.example`. */
  get domains(): readonly string[] {
    return [...this.#credentials().keys()];
  }

  /**
   * The credential for a server name: that of the exact name, else that of the wildcard above it.
   * @returns null if the name is not served: the handshake ends with unrecognized_name (112), never with another
   *   credential.
   */
  select(serverName: string): Credential | null {
    const domain = normalizeDomain(serverName);
    if (domain === null || isIpLiteral(domain)) return null;
    const byDomain = this.#credentials();
    const dot = domain.indexOf('.');
    const wildcard = dot > 0 ? byDomain.get(`*${domain.slice(dot)}`) : undefined;
    return byDomain.get(domain) ?? wildcard ?? null;
  }

  /** Whether a domain is served here. */
  serves(domain: string): boolean {
    return this.select(domain) !== null;
  }

  #load(options: readonly CredentialOptions[]): ReadonlyMap<string, Credential> {
    const chosen = new Map<string, Credential>();
    const derived = new Map<string, Credential>();
    for (const [index, given] of options.entries()) {
      const place = `credentials[${index}]`;
      const domains = givenDomains(given.domain, place);
      const credential = readCredential(given, domains, place, this.#logger);
      for (const domain of credential.domains) {
        if (domains !== null && chosen.has(domain)) {
          throw new TransportError('XMPP_BAD_OPTION', `${place}.domain: ${domain} has a credential already`);
        }
        const map = domains === null ? derived : chosen;
        if (!map.has(domain)) map.set(domain, credential);
      }
    }
    return new Map([...derived, ...chosen]);
  }
}

/** Null where the certificate is to tell. */
function givenDomains(given: string | readonly string[] | undefined, place: string): readonly string[] | null {
  if (given === undefined) return null;
  const list = typeof given === 'string' ? [given] : given;
  if (list.length === 0) throw new TransportError('XMPP_BAD_OPTION', `${place}.domain: the list is empty`);
  return list.map((text) => {
    const prefix = text.startsWith('*.') ? '*.' : '';
    const domain = normalizeDomain(text.slice(prefix.length));
    if (domain !== null && !isIpLiteral(domain)) return `${prefix}${domain}`;
    throw new TransportError('XMPP_BAD_OPTION', `${place}.domain: ${JSON.stringify(text)} is no domain`);
  });
}

function readCredential(
  { cert, key }: CredentialOptions,
  given: readonly string[] | null,
  place: string,
  logger: Logger,
): Credential {
  const certPlace = isPem(cert) ? `${place}.cert` : cert;
  const keyPlace = isPem(key) ? `${place}.key` : key;
  const chain = parseChain(readPem(cert, certPlace), certPlace);
  const privateKey = parseKey(readPem(key, keyPlace), keyPlace);
  const [leaf] = chain as [Certificate];
  const domains = given ?? presentedDomains(leaf.subjectAltNames);
  if (domains.length === 0) throw badCredential(`${certPlace}: the certificate names no domain, and none was given`);
  const credential = build(domains, chain, privateKey, certPlace);
  if (!credential.leaf.checkPrivateKey(privateKey)) {
    throw badCredential(`${keyPlace}: the key does not fit the certificate in ${certPlace}`);
  }
  warnOfFaults(leaf, domains, certPlace, logger);
  return credential;
}

function build(
  domains: readonly string[],
  chain: readonly Certificate[],
  key: KeyObject,
  certPlace: string,
): Credential {
  try {
    return new Credential(
      domains,
      chain.map(({ der }) => der),
      key,
    );
  } catch (error) {
    throw badCredential(`${certPlace}: the certificate cannot be used`, error);
  }
}

function readPem(source: string, place: string): string {
  if (isPem(source)) return source;
  try {
    return readFileSync(source, 'latin1');
  } catch (error) {
    throw badCredential(`${place} cannot be read`, error);
  }
}

function parseChain(text: string, place: string): readonly Certificate[] {
  try {
    const chain = (readPemCertificates(text) ?? []).map(parseCertificate);
    if (chain.length > 0) return chain;
  } catch (error) {
    throw badCredential(`${place} holds a certificate that cannot be parsed`, error);
  }
  throw badCredential(`${place} holds no PEM certificate`);
}

function parseKey(text: string, place: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch {
    // Without the cause: nothing that was made from the bytes of a key leaves this function.
    throw badCredential(`${place} holds no private key that can be read; encrypted keys cannot`);
  }
}

/** A peer will refuse these, but that is no reason not to start: the certificate may be renewed any moment. */
function warnOfFaults(leaf: Certificate, domains: readonly string[], file: string, logger: Logger): void {
  const now = Date.now();
  if (now > leaf.notAfterMs) logger.warn({ file }, 'The certificate has expired');
  if (now < leaf.notBeforeMs) logger.warn({ file }, 'The certificate is not yet valid');
  const covers = (domain: string): boolean =>
    presentedDomains(leaf.subjectAltNames).includes(domain) ||
    findMatch(leaf.subjectAltNames, { domain, purpose: 'c2s-server' }) !== null ||
    findMatch(leaf.subjectAltNames, { domain, purpose: 's2s-server' }) !== null;
  const uncovered = domains.filter((domain) => !covers(domain));
  if (uncovered.length > 0) logger.warn({ file, domains: uncovered }, 'The certificate does not name these domains');
}

const badCredential = (message: string, cause?: unknown): TransportError =>
  new TransportError('XMPP_BAD_CREDENTIAL', message, { cause });
