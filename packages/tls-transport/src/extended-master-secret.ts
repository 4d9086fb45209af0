import type { TLSSocket } from 'node:tls';

/** What an SSL_SESSION of OpenSSL begins with: version 1 of the structure, and TLS 1.2. */
const BEGINNING = Buffer.from([2, 1, 1, 2, 2, 3, 3]);
/** Its field `flags`, `[13]`, and of these SSL_SESS_FLAG_EXTMS. */
const FLAGS = 0xad;
const EXTENDED = 1;

/**
 * Whether the master secret of a TLS 1.2 connection is bound to its handshake (RFC 7627).
 *
 * COMPAT: Node.js can neither demand it nor ask for it. It is told by the session that `getSession()` gives on either side: DER
 * of OpenSSL (`ssl/ssl_asn1.c`), behind a few words of Node's own since version 26. What cannot be found there counts as no.
 */
export function hasExtendedMasterSecret(tls: Pick<TLSSocket, 'getSession'>): boolean {
  const session = tls.getSession() ?? Buffer.alloc(0);
  const start = session.indexOf(BEGINNING);
  return start >= 0 && (flagsIn(session.subarray(start)) & EXTENDED) === EXTENDED;
}

/** The INTEGER of a byte in the field of flags, among fields of DER; 0 where there is none. */
function flagsIn(fields: Buffer): number {
  let at = 0;
  while (at + 2 <= fields.length) {
    const first = fields[at + 1] ?? 0;
    const octets = first < 0x80 ? 0 : first - 0x80;
    if (octets > 3 || at + 2 + octets > fields.length) return 0;
    const content = at + 2 + octets;
    const length = octets === 0 ? first : fields.readUIntBE(at + 2, octets);
    if (fields[at] === FLAGS) return length === 3 && fields[content] === 2 ? (fields[content + 2] ?? 0) : 0;
    at = content + length;
  }
  return 0;
}
