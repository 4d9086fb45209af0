import type { Observable } from 'rxjs';
import type { Cancellable } from './cancellable.ts';
import type { Connection } from './connection.ts';
import type { ConnectionKind, SocketAddress } from './facts.ts';
import type { Delegation } from './security.ts';

/** Where and for whom to listen. */
export interface ListenOptions {
  /** IP address to bind, `::` and `0.0.0.0` for all. @defaultValue `'::'` */
  readonly host?: string;
  /** Port to bind; 0 lets the system choose, {@link Listener.address} tells which. */
  readonly port: number;
  /** Kinds of connection accepted, told apart by ALPN (XEP-0467 §2, XEP-0368 §3). @defaultValue `['c2s']` */
  readonly kinds?: readonly ConnectionKind[];
}

/** Whom to connect to. */
export interface ConnectTarget {
  /** c2s connects as a client of `domain`, s2s as a server to `domain`. */
  readonly kind: ConnectionKind;
  /** The domainpart the peer must prove by its certificate; also the SNI. Unicode or A-labels. */
  readonly domain: string;
  /** Host name or IP address to send to. @defaultValue `domain` */
  readonly host?: string;
  /** @defaultValue the transport's own default port */
  readonly port?: number;
  /**
   * What the domain has said of the host and port in use (XEP-0487, POSH); counts besides the domain itself when the peer
   * is judged. @defaultValue nothing
   */
  readonly delegations?: readonly Delegation[];
  /** s2s: the local domain whose certificate is presented. @defaultValue no certificate is presented */
  readonly localDomain?: string;
}

/** A way to carry XML streams. An author of another transport implements this and proves it with the kit. */
export interface Transport {
  /** `quic`, `direct-tls`, `starttls`, `websocket`, `memory`, or a name of the author's. */
  readonly name: string;
  /**
   * Binds a local endpoint; resolves once peers can reach it.
   * @throws TransportError of category `config`, naming the host and port or the file.
   */
  listen(options: ListenOptions): Promise<Listener>;
  /**
   * Connects and secures; resolves once the peer has proved `target.domain`, or, where 0-RTT is switched on and possible,
   * at once (see {@link Connection.handshakeCompleted}).
   * @throws TransportError of category `dns`, `unreachable`, `refused`, `timeout`, `tls`, `certificate`, `alpn`,
   *   `protocol`, `config` or `aborted`.
   */
  connect(target: ConnectTarget, options?: Cancellable): Promise<Connection>;
}

/** How long a listener lets its streams finish. */
export interface DrainOptions {
  /**
   * Time for the closing handshakes of all streams, in milliseconds; after it whatever remains ends with an error of
   * category `shutdown` and everything is released. 0 leaves out the closing handshakes: every stream gets the stream
   * error `system-shutdown` at once (RFC 6120 §4.9.3.20). @defaultValue the close timeout of the limits
   */
  readonly drainMs?: number;
}

/** A transport's bound local endpoint. */
export interface Listener extends AsyncDisposable {
  readonly transport: string;
  /** The real address, also where port 0 was asked for; stays readable after the end. */
  readonly address: SocketAddress;
  /**
   * Each accepted connection once, after its handshake, or, where 0-RTT is switched on, already when the first stream
   * headers can come (see {@link Connection.handshakeCompleted}). What arrives before the first subscription waits for it.
   * Completes when the listener has closed.
   */
  readonly connections$: Observable<Connection>;
  /** Stops accepting, lets streams finish, then closes; resolves when all is released. Idempotent, never rejects. */
  close(options?: DrainOptions): Promise<void>;
}
