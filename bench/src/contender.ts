/**
 * The one interface of all that is measured: a server and a client that carry stanzas, each in a process of its own. What
 * is done over them is the same code for all (`task.ts`); a contender only opens, sends and tells what came.
 */

/** What a server is told. */
export interface ServerSetup {
  /** Chain and key in PEM, for {@link DOMAIN}. */
  readonly certificate: string;
  readonly key: string;
  /** Size of every stanza, both ways. */
  readonly stanzaBytes: number;
  /** For how many stanzas of a stream the server answers with one. */
  readonly answerEvery: number;
  /** Streams of each connection. */
  readonly streams: number;
  /** What the server does with each stanza, in microseconds of CPU time. @defaultValue nothing */
  readonly workUs?: number;
  /** One of several processes on one port, where the contender can. */
  readonly worker?: ServerWorker;
}

/** A server process among others. */
export interface ServerWorker {
  readonly number: number;
  readonly folder: string;
  readonly sharing: 'reuse-port' | 'cluster';
  readonly port: number;
}

/** What a client is told. */
export interface ClientSetup {
  /** Of the server, on 127.0.0.1. */
  readonly port: number;
  /** In PEM. */
  readonly rootCertificate: string;
  readonly stanzaBytes: number;
  /** Whether connections after the first resume a TLS session, where the contender can. */
  readonly resume: boolean;
}

/** One stream of stanzas in both directions; on TCP the connection itself. */
export interface BenchStream {
  /** Sends one stanza. False: sent, but wait for `onDrained` with the next. */
  send(): boolean;
  onDrained: () => void;
  /** Called for each stanza that has come; contenders that parse nothing count bytes. */
  onStanza: () => void;
}

export interface BenchConnection {
  /** Whether the handshake resumed a session. */
  readonly resumed: boolean;
  /** Resolves when stanzas can be sent; a contender with XML has exchanged stream headers then. */
  openStream(): Promise<BenchStream>;
  close(): Promise<void>;
}

export interface BenchClient {
  /** A new connection with a complete handshake. */
  connect(): Promise<BenchConnection>;
}

export interface Contender {
  /** Serves until the process ends; answers the port. `onStream` is called for each stream of a client. */
  listen(setup: ServerSetup, onStream: (stream: BenchStream) => void): Promise<number>;
  createClient(setup: ClientSetup): Promise<BenchClient>;
}

/** Tells stanzas by their size, for contenders that parse nothing. */
export class StanzaCounter {
  readonly #stanzaBytes: number;
  #bytes = 0;

  constructor(stanzaBytes: number) {
    this.#stanzaBytes = stanzaBytes;
  }

  /** Takes what came; calls `onStanza` of `stream` for each stanza that is complete by it. */
  take(bytes: number, stream: BenchStream): void {
    this.#bytes += bytes;
    while (this.#bytes >= this.#stanzaBytes) {
      this.#bytes -= this.#stanzaBytes;
      stream.onStanza();
    }
  }
}

export const noop = (): void => undefined;
