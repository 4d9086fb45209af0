import {
  GuardedObservable,
  isIpLiteral,
  type Logger,
  normalizeDomain,
  silentLogger,
  TransportError,
  toTransportError,
} from '@stanzaport/core';
import { type Observable, Subject } from 'rxjs';
import {
  badCredential,
  type Credential,
  type CredentialOptions,
  createCredential,
  credentialFiles,
  readCredentialText,
  warnOfFaults,
} from './credential.ts';
import { type CredentialWatchOptions, resolveWatch } from './credential-watch.ts';
import { FileWatch } from './file-watch.ts';

/** How a {@link CredentialStore} reads its files. */
export interface CredentialStoreOptions {
  /**
   * `on-first-use` leaves the reading, and the throwing, to the first call that needs a credential: a listener that
   * starts, rather than the wiring of an application. @defaultValue `'now'`
   */
  readonly reads?: 'now' | 'on-first-use';
  /** Whether files that change are read again, from the first reading on. @defaultValue false */
  readonly watch?: boolean | CredentialWatchOptions;
}

/** What became of a credential when its files were read again and had changed. */
export type CredentialReload =
  /** All handshakes from now on use `credential`. */
  | { readonly type: 'replaced'; readonly credential: Credential }
  /** What is in the files cannot be used; `credential`, which was in force, stays. */
  | { readonly type: 'kept'; readonly credential: Credential; readonly error: TransportError };

/** Throws where a transport cannot use a credential. */
export type CredentialCheck = (credential: Credential) => void;

/** One element of the options and what was made of it. */
interface Entry {
  readonly given: CredentialOptions;
  readonly domains: readonly string[] | null;
  readonly certPlace: string;
  /** Entries of the same id have equal credentials. */
  readonly id: string;
  readonly credential: Credential;
}

/** The credentials of this host, chosen by server name (RFC 6066 §3). */
export class CredentialStore implements Disposable {
  /**
   * Every change of the files that took effect or failed, by watching or by {@link reload}. Completes with
   * {@link close}.
   */
  readonly reloads$: Observable<CredentialReload>;
  readonly #logger: Logger;
  readonly #options: readonly CredentialOptions[];
  readonly #reloads = new Subject<CredentialReload>();
  readonly #checks = new Set<CredentialCheck>();
  readonly #watch: FileWatch | null;
  /** Null until the files are read. */
  #entries: readonly Entry[] | null = null;
  #byDomain: ReadonlyMap<string, Credential> = new Map();
  /** What was said of an entry, by its index, whose files cannot be used: so that it is said once. */
  readonly #troubles = new Map<number, string>();

  /**
   * Reads and checks every credential.
   * @throws TransportError `XMPP_BAD_CREDENTIAL`, naming the file, if one cannot be read or parsed, the key does not
   *   fit, or there is no domain to serve it for; `XMPP_BAD_OPTION` for a domain that is none or is given twice, and for
   *   an interval of watching that cannot be.
   */
  constructor(
    options: readonly CredentialOptions[] = [],
    logger: Logger = silentLogger,
    { reads = 'now', watch = false }: CredentialStoreOptions = {},
  ) {
    this.#logger = logger;
    this.#options = options;
    this.reloads$ = new GuardedObservable(
      (thrown) =>
        logger.error({ err: toTransportError(thrown, 'handler') }, 'a handler of reloaded credentials failed'),
      (subscriber) => this.#reloads.subscribe(subscriber),
    );
    const resolved = resolveWatch(watch);
    this.#watch =
      resolved === null
        ? null
        : new FileWatch(
            () => (this.#entries ?? []).flatMap(({ given }) => credentialFiles(given)),
            resolved.intervalMs,
            (paths) => this.#reload(paths),
          );
    if (reads === 'now') this.#load();
  }

  /**
   * Takes other credentials for all handshakes from now on; connections that stand keep what they presented.
   * @throws TransportError as the constructor does, and for what a transport in use cannot serve; the credentials in
   *   force then stay, all of them.
   */
  replace(options: readonly CredentialOptions[]): void {
    const known = this.#known();
    try {
      this.#take(options.map((given, index) => this.#read(given, index, known)));
    } catch (error) {
      // Some of the files that stay in use have been noted as read, and what was read is not used.
      for (const { given } of this.#entries ?? []) this.#retry(given);
      throw error;
    }
  }

  /**
   * Reads all files again, as an operator asks for with SIGHUP. A credential whose files cannot be used stays in force,
   * and the others are taken. Does nothing before the first reading. Never throws.
   * @returns what is in {@link reloads$} too; nothing for files that are as they were.
   */
  reload(): readonly CredentialReload[] {
    return this.#reload(null);
  }

  /**
   * Has every credential checked by a transport: those in force now, and from now on each before it takes effect.
   * @returns ends the checking.
   * @throws TransportError `XMPP_BAD_CREDENTIAL`, naming the file; nothing is checked later then.
   */
  checkWith(check: CredentialCheck): () => void {
    for (const entry of this.#load()) runCheck(check, entry.credential, entry.certPlace);
    // Each call counts for itself, also with the same function.
    const own: CredentialCheck = (credential) => check(credential);
    this.#checks.add(own);
    return () => this.#checks.delete(own);
  }

  /** Every domain served, A-labels; some may be `*.a.example`. */
  get domains(): readonly string[] {
    this.#load();
    return [...this.#byDomain.keys()];
  }

  /**
   * The credential for a server name: that of the exact name, else that of the wildcard above it.
   * @returns null if the name is not served: the handshake ends with unrecognized_name (112), never with another
   *   credential.
   */
  select(serverName: string): Credential | null {
    const domain = normalizeDomain(serverName);
    if (domain === null || isIpLiteral(domain)) return null;
    this.#load();
    const dot = domain.indexOf('.');
    const wildcard = dot > 0 ? this.#byDomain.get(`*${domain.slice(dot)}`) : undefined;
    return this.#byDomain.get(domain) ?? wildcard ?? null;
  }

  /** Whether a domain is served here. */
  serves(domain: string): boolean {
    return this.select(domain) !== null;
  }

  /** Ends watching. What is in force goes on being served. */
  close(): void {
    this.#watch?.close();
    this.#reloads.complete();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #load(): readonly Entry[] {
    if (this.#entries !== null) return this.#entries;
    return this.#take(this.#options.map((given, index) => this.#read(given, index, new Map())));
  }

  #take(entries: readonly Entry[]): readonly Entry[] {
    this.#byDomain = domainsOf(entries);
    this.#entries = entries;
    this.#troubles.clear();
    this.#watch?.start();
    return entries;
  }

  #reload(paths: ReadonlySet<string> | null): readonly CredentialReload[] {
    if (this.#entries === null) return [];
    const known = this.#known();
    const reloads: CredentialReload[] = [];
    const entries = this.#entries.map((entry, index) => {
      const files = credentialFiles(entry.given);
      if (paths !== null && !files.some((file) => paths.has(file))) return entry;
      try {
        const read = this.#read(entry.given, index, known);
        if (read.id !== entry.id) reloads.push({ type: 'replaced', credential: read.credential });
        this.#troubles.delete(index);
        return read;
      } catch (thrown) {
        const error = toTransportError(thrown, 'reload');
        this.#retry(entry.given);
        if (paths === null || this.#troubles.get(index) !== error.message) {
          reloads.push({ type: 'kept', credential: entry.credential, error });
        }
        this.#troubles.set(index, error.message);
        return entry;
      }
    });
    this.#byDomain = domainsOf(entries);
    this.#entries = entries;
    for (const reload of reloads) this.#tell(reload);
    return reloads;
  }

  #tell(reload: CredentialReload): void {
    const { domains } = reload.credential;
    if (reload.type === 'replaced') this.#logger.info({ domains }, 'A credential has been replaced');
    else this.#logger.warn({ domains, err: reload.error }, 'A credential could not be replaced, the old one stays');
    this.#reloads.next(reload);
  }

  #retry(given: CredentialOptions): void {
    for (const file of credentialFiles(given)) this.#watch?.retry(file);
  }

  #known(): ReadonlyMap<string, Credential> {
    return new Map((this.#entries ?? []).map(({ id, credential }) => [id, credential]));
  }

  /** What is known stays the same object: transports keep what they made of it, such as the tickets they gave. */
  #read(given: CredentialOptions, index: number, known: ReadonlyMap<string, Credential>): Entry {
    const place = `credentials[${index}]`;
    const domains = givenDomains(given.domain, place);
    for (const file of credentialFiles(given)) this.#watch?.note(file);
    const text = readCredentialText(given, place);
    const { certPlace } = text;
    const id = JSON.stringify([domains, text.digest]);
    const same = known.get(id);
    if (same !== undefined) return { given, domains, certPlace, id, credential: same };
    const credential = createCredential(text, domains);
    for (const check of this.#checks) runCheck(check, credential, certPlace);
    warnOfFaults(credential, certPlace, this.#logger);
    return { given, domains, certPlace, id, credential };
  }
}

function runCheck(check: CredentialCheck, credential: Credential, place: string): void {
  try {
    check(credential);
  } catch (thrown) {
    throw badCredential(`${place}: ${toTransportError(thrown, 'check').message}`, thrown);
  }
}

function domainsOf(entries: readonly Entry[]): ReadonlyMap<string, Credential> {
  const chosen = new Map<string, Credential>();
  const derived = new Map<string, Credential>();
  for (const [index, { domains, credential }] of entries.entries()) {
    for (const domain of credential.domains) {
      if (domains !== null && chosen.has(domain)) {
        throw new TransportError('XMPP_BAD_OPTION', `credentials[${index}].domain: ${domain} has a credential already`);
      }
      const map = domains === null ? derived : chosen;
      if (!map.has(domain)) map.set(domain, credential);
    }
  }
  return new Map([...derived, ...chosen]);
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
