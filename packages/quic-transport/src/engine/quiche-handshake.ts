import type { EngineConnection, EngineTicketKeys } from './port.ts';
import { EngineError, TICKET_KEY_BYTES } from './port.ts';
import type { NativeConnection } from './quiche-binding.ts';
import type { QuicheConfig } from './quiche-config.ts';

/** Room for one of a client's first datagrams. */
const FIRST_DATAGRAM_BYTES = 1_500;
/** A ticket holds the certificates of the client, and makes its ClientHello as long; servers take no hello of any length. */
const FIRST_DATAGRAMS = 3;

/** Ticket keys of one connection, and the configuration that they have to be set in. */
export interface TicketKeysInUse {
  readonly config: QuicheConfig;
  readonly keys: EngineTicketKeys;
}

/**
 * Follows the handshake of one connection: what becomes of 0-RTT, which this engine tells for moments only, and with which
 * keys tickets are opened and sealed, which it keeps in the configuration, for all connections alike.
 */
export class QuicheHandshake {
  readonly #native: NativeConnection;
  readonly #role: 'client' | 'server';
  #ticketKeys: TicketKeysInUse | null;
  #earlyData: EngineConnection['earlyData'];
  #isInEarlyData = false;
  #hasAnswered = false;
  #isComplete = false;

  private constructor(
    role: 'client' | 'server',
    native: NativeConnection,
    ticketKeys: TicketKeysInUse | null,
    earlyData: 'none' | 'offered',
  ) {
    this.#role = role;
    this.#native = native;
    this.#ticketKeys = ticketKeys;
    this.#earlyData = earlyData;
  }

  static ofClient(native: NativeConnection, offersEarlyData: boolean): QuicheHandshake {
    return new QuicheHandshake('client', native, null, offersEarlyData ? 'offered' : 'none');
  }

  static ofServer(native: NativeConnection, ticketKeys: TicketKeysInUse | null): QuicheHandshake {
    return new QuicheHandshake('server', native, ticketKeys, 'none');
  }

  get earlyData(): EngineConnection['earlyData'] {
    return this.#earlyData;
  }

  /** The engine is about to receive or to transmit, and may take a step of the handshake. */
  beforeStep(): void {
    if (this.#ticketKeys === null) return;
    const { config, keys } = this.#ticketKeys;
    // The client's ticket is opened as soon as its ClientHello is whole; new ones are sealed when it has answered us.
    config.useTicketKey(this.#hasAnswered ? keys.sealing : keys.opening);
  }

  /** @param bytesSent of what was transmitted, if that was the step. */
  afterStep(bytesSent = 0): void {
    if (this.#isComplete) return;
    if (bytesSent > 0) this.#hasAnswered = true;
    this.#isComplete = this.#native.isEstablished();
    if (this.#isComplete) this.#ticketKeys = null;
    if (this.#earlyData === 'offered') {
      // A client that is refused leaves this state one step before the handshake is complete; after a Retry it is back.
      const accepted = this.#isInEarlyData && this.#native.isResumed();
      if (this.#isComplete) this.#earlyData = accepted ? 'accepted' : 'rejected';
      this.#isInEarlyData = this.#native.isInEarlyData();
    } else if (this.#role === 'server' && this.#native.isInEarlyData()) {
      this.#earlyData = 'accepted';
    }
  }
}

/** What a session is good for. */
export type SessionUse = 'nothing' | 'resumption' | 'early-data';

/** Tries a session out. @param trial a client connection that is used for nothing else. */
export function tryOut(trial: NativeConnection, session: Uint8Array): SessionUse {
  try {
    trial.setSession(session);
    const datagram = new Uint8Array(FIRST_DATAGRAM_BYTES);
    for (let sent = 0; trial.send(datagram) !== null; sent++) if (sent === FIRST_DATAGRAMS) return 'nothing';
    return trial.isInEarlyData() ? 'early-data' : 'resumption';
  } catch {
    return 'nothing';
  }
}

export function checkTicketKeys({ sealing, opening }: EngineTicketKeys): void {
  if (sealing.length === TICKET_KEY_BYTES && opening.length === TICKET_KEY_BYTES) return;
  throw new EngineError('misuse', `a session ticket key has ${TICKET_KEY_BYTES} bytes`);
}
