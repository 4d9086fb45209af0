import type { ConnectionKind } from '@stanzaport/core';
import type { ConnectionDriver } from './endpoint/connection-driver.ts';
import type { ConnectionEnd } from './endpoint/connection-end.ts';
import type { DriverOwner } from './endpoint/driver-owner.ts';
import type { QuicConnection } from './quic-connection.ts';

/** What a handshake tells its listener; each at most once. */
export interface HandshakeListener {
  onEarlyData(handshake: ServerHandshake): void;
  onEstablished(handshake: ServerHandshake): void;
  onEnd(handshake: ServerHandshake, end: ConnectionEnd): void;
}

/** A server connection before its handshake is complete. */
export class ServerHandshake implements DriverOwner {
  driver!: ConnectionDriver;
  /** Whose limit it counts for. */
  quota = '';
  /** Set where early data has made a connection of it already. */
  connection: QuicConnection | null = null;
  readonly kind: ConnectionKind;
  readonly serverName: string;
  readonly remoteAddress: string;
  readonly localCertificates: readonly Uint8Array[];
  readonly released: Promise<void>;
  readonly #listener: HandshakeListener;
  #release: () => void = () => undefined;

  constructor(
    kind: ConnectionKind,
    serverName: string,
    remoteAddress: string,
    localCertificates: readonly Uint8Array[],
    listener: HandshakeListener,
  ) {
    this.kind = kind;
    this.serverName = serverName;
    this.remoteAddress = remoteAddress;
    this.localCertificates = localCertificates;
    this.#listener = listener;
    this.released = new Promise((resolve) => {
      this.#release = resolve;
    });
  }

  onEarlyData(): void {
    this.#listener.onEarlyData(this);
    // As when the handshake is complete.
    this.#release();
  }

  onEstablished(): void {
    this.#listener.onEstablished(this);
    // Either a connection has it now, or it is closing.
    this.#release();
  }

  readonly unreadBytes = 0;

  onPathChanged(): void {
    // Nobody has been told the path yet.
  }

  onInput(): void {
    // Nothing is read before a connection has taken over.
  }

  onOutput(): void {
    // Nothing is written either.
  }

  onEnd(end: ConnectionEnd): void {
    this.#listener.onEnd(this, end);
  }

  onReleased(): void {
    this.#release();
  }
}
