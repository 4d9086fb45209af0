/** What a ClientHello (RFC 8446 §4.1.2) tells in clear. */
export interface ClientHello {
  /** SNI (RFC 6066 §3): a host name, lower-cased; null where the client sent none. With ECH the outer name. */
  readonly serverName: string | null;
  /** ALPN (RFC 7301) in the client's order, one character a byte; empty where the client sent none. */
  readonly alpn: readonly string[];
  /** Encrypted ClientHello (RFC 9849) is present, real or as grease. */
  readonly hasEch: boolean;
  /** 0-RTT data may follow (RFC 8446 §4.2.10). */
  readonly hasEarlyData: boolean;
  /** The first session ticket the client wants to resume by (RFC 8446 §4.2.11); null where there is none. */
  readonly ticket: Uint8Array | null;
}

const CLIENT_HELLO = 1;
const HEADER_BYTES = 4;

const EXTENSION = { serverName: 0, alpn: 16, preSharedKey: 41, earlyData: 42, encryptedClientHello: 0xfe0d } as const;

/**
 * @param bytes what is known of the handshake stream, from its beginning. @param maxBytes longest hello taken.
 * @returns `more` while it is incomplete, `invalid` when it is none.
 */
export function parseClientHello(bytes: Uint8Array, maxBytes: number): ClientHello | 'more' | 'invalid' {
  if (bytes.length > 0 && bytes[0] !== CLIENT_HELLO) return 'invalid';
  if (bytes.length < HEADER_BYTES) return 'more';
  const end = HEADER_BYTES + (((bytes[1] as number) << 16) | ((bytes[2] as number) << 8) | (bytes[3] as number));
  if (end > maxBytes) return 'invalid';
  if (bytes.length < end) return 'more';
  const reader = new Reader(bytes.subarray(HEADER_BYTES, end));
  // Legacy version, random, session ID, cipher suites, compression methods.
  reader.take(2 + 32);
  reader.vector(1);
  reader.vector(2);
  reader.vector(1);
  const extensions = readExtensions(reader.vector(2));
  if (extensions === null || reader.failed || reader.left > 0) return 'invalid';
  const serverName = readServerName(extensions.get(EXTENSION.serverName));
  const alpn = readAlpn(extensions.get(EXTENSION.alpn));
  if (serverName === 'invalid' || alpn === null) return 'invalid';
  return {
    serverName: serverName?.host ?? null,
    alpn,
    hasEch: extensions.has(EXTENSION.encryptedClientHello),
    hasEarlyData: extensions.has(EXTENSION.earlyData),
    ticket: readTicket(extensions.get(EXTENSION.preSharedKey)),
  };
}

/** @returns null where they are malformed or one comes twice (RFC 8446 §4.2). */
function readExtensions(reader: Reader): Map<number, Reader> | null {
  const extensions = new Map<number, Reader>();
  while (reader.left > 0) {
    const type = reader.number(2);
    const data = reader.vector(2);
    if (reader.failed || extensions.has(type)) return null;
    extensions.set(type, data);
  }
  return extensions;
}

function readServerName(extension: Reader | undefined): { host: string } | null | 'invalid' {
  if (extension === undefined) return null;
  const list = extension.vector(2);
  const type = list.number(1);
  const name = list.vector(2).text();
  // RFC 6066 §3: one name of a type, and no other type was ever defined.
  const wellFormed = !extension.failed && extension.left === 0 && !list.failed && list.left === 0 && type === 0;
  const host = name.toLowerCase();
  return wellFormed && isHostName(host) ? { host } : 'invalid';
}

function readAlpn(extension: Reader | undefined): string[] | null {
  if (extension === undefined) return [];
  const list = extension.vector(2);
  const protocols: string[] = [];
  while (list.left > 0) {
    const protocol = list.vector(1).text();
    if (list.failed || protocol === '') return null;
    protocols.push(protocol);
  }
  return extension.failed || extension.left > 0 || protocols.length === 0 ? null : protocols;
}

/** TLS judges the extension as a whole; what is malformed names no ticket. */
function readTicket(extension: Reader | undefined): Uint8Array | null {
  const identity = extension?.vector(2).vector(2);
  return identity === undefined || identity.left === 0 ? null : identity.take(identity.left);
}

/** Labels of letters, digits, hyphens and underscores; no trailing dot, no IPv4 address (RFC 6066 §3). */
function isHostName(name: string): boolean {
  if (name.length > 253) return false;
  const labels = name.split('.');
  const last = labels.at(-1) ?? '';
  return !/^\d+$/.test(last) && labels.every((label) => /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label));
}

/** Reads fields in order; past the end it gives zeros and empty vectors, and `failed` tells. */
class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #failed = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  get failed(): boolean {
    return this.#failed;
  }

  take(length: number): Uint8Array {
    if (length > this.left) {
      this.#failed = true;
      this.#at = this.#bytes.length;
      return new Uint8Array(0);
    }
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  number(length: 1 | 2): number {
    return this.take(length).reduce((value, byte) => value * 256 + byte, 0);
  }

  vector(lengthBytes: 1 | 2): Reader {
    return new Reader(this.take(this.number(lengthBytes)));
  }

  text(): string {
    return Buffer.from(this.take(this.left)).toString('latin1');
  }
}
