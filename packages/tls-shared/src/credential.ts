import { createHash, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Logger, TransportError } from '@stanzaport/core';
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

/** The texts a credential is made of, not yet judged. */
export interface CredentialText {
  readonly cert: string;
  readonly key: string;
  /** What to call them in an error or a log: the paths of the files, or the place in the options. */
  readonly certPlace: string;
  readonly keyPlace: string;
  /** Equal texts have equal digests. */
  readonly digest: string;
}

/** The files a credential is read from; none where the options hold it. */
export const credentialFiles = ({ cert, key }: CredentialOptions): readonly string[] =>
  [cert, key].filter((source) => !isPem(source));

/** @throws TransportError `XMPP_BAD_CREDENTIAL`, naming the file that cannot be read. */
export function readCredentialText({ cert, key }: CredentialOptions, place: string): CredentialText {
  const certPlace = isPem(cert) ? `${place}.cert` : cert;
  const keyPlace = isPem(key) ? `${place}.key` : key;
  const texts = { cert: readPem(cert, certPlace), key: readPem(key, keyPlace) };
  const digest = createHash('sha256')
    .update(JSON.stringify([texts.cert, texts.key]))
    .digest('hex');
  return { ...texts, certPlace, keyPlace, digest };
}

/**
 * @param given the domains to serve it for; null where the certificate is to tell.
 * @throws TransportError `XMPP_BAD_CREDENTIAL`, naming the file at fault.
 */
export function createCredential(
  { cert, key, certPlace, keyPlace }: CredentialText,
  given: readonly string[] | null,
): Credential {
  const chain = parseChain(cert, certPlace);
  const privateKey = parseKey(key, keyPlace);
  const [leaf] = chain as [Certificate];
  const domains = given ?? presentedDomains(leaf.subjectAltNames);
  if (domains.length === 0) throw badCredential(`${certPlace}: the certificate names no domain, and none was given`);
  const credential = build(domains, chain, privateKey, certPlace);
  if (!credential.leaf.checkPrivateKey(privateKey)) {
    throw badCredential(`${keyPlace}: the key does not fit the certificate in ${certPlace}`);
  }
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
export function warnOfFaults({ domains, chainDer }: Credential, file: string, logger: Logger): void {
  const [leaf] = chainDer.slice(0, 1).map(parseCertificate) as [Certificate];
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

export const badCredential = (message: string, cause?: unknown): TransportError =>
  new TransportError('XMPP_BAD_CREDENTIAL', message, { cause });
