import type { ForwardedClient } from './fault-client.ts';

/** Which way a datagram goes. */
export type FaultDirection = 'to-server' | 'to-client';

/** Why a datagram went no further. */
export type DiscardReason =
  /** The plan had it lost. */
  | 'lost'
  /** `dropNext` or `dropNth` asked for it. */
  | 'dropped'
  /** Its path is dead. */
  | 'dead'
  /** The queue before the bottleneck is full, or too much is waiting in the forwarder. */
  | 'overflow';

/** A datagram that has just come in, not yet judged. */
export interface SeenDatagram {
  readonly direction: FaultDirection;
  readonly client: ForwardedClient;
  /** The payload. The forwarder never changes it: a corrupted datagram is another one. */
  readonly datagram: Uint8Array;
}

/**
 * What happens to datagrams: each one is `received`, and then `discarded`, or `sent` once or twice, at once or later.
 */
export type DatagramEvent =
  | (SeenDatagram & { readonly type: 'received' })
  | (SeenDatagram & { readonly type: 'sent' })
  | (SeenDatagram & { readonly type: 'discarded'; readonly reason: DiscardReason });

/**
 * Counted for one direction over all clients. Nothing vanishes: received and duplicated datagrams together are those sent,
 * lost, dropped, dead, overflowed and waiting.
 */
export interface FaultCounters {
  readonly received: number;
  /** Handed to the system, copies included. */
  readonly sent: number;
  /** Payload of the received ones, in bytes. */
  readonly receivedBytes: number;
  /** Payload of the sent ones, in bytes. */
  readonly sentBytes: number;
  readonly lost: number;
  readonly dropped: number;
  readonly dead: number;
  readonly overflowed: number;
  readonly corrupted: number;
  readonly duplicated: number;
  /** Held back for later ones to pass. */
  readonly reordered: number;
  /** In the forwarder now: delayed, held back or held. */
  readonly waiting: number;
  /** Of the sent ones, those that the system refused to take. */
  readonly refused: number;
}
