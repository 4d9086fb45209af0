import { TransportError } from '@stanzaport/core';
import { isConnectionIdLength } from './connection-id-generator.ts';

/** What the balancer and the servers of a fleet agree on (draft-ietf-quic-load-balancers-21 §5.3). */
export interface QuicLbParameters {
  /** Config rotation codepoint, 0 to 6, in the first three bits of every ID (§3.1). */
  readonly configId: number;
  /**
   * Length of the nonce in bytes, 4 to 18; it and the server ID have 7 to 19 together. Take 8 or more: a server that is
   * started again with the same key counts on from another random nonce, which among few may be one it has used. A sum
   * of 16 is best: one pass of AES instead of four, and stronger (§9.7).
   */
  readonly nonceBytes: number;
  /** 16 secret bytes; null leaves the server ID in the clear, and everybody sees who shares a server (§9). */
  readonly key: Uint8Array | null;
}

/** One configuration as the balancer has it; see {@link QuicLbDecoder}. */
export interface QuicLbConfig extends QuicLbParameters {
  /** Length of the server IDs in bytes, 1 to 15. */
  readonly serverIdBytes: number;
}

/** One configuration as a server has it; see {@link QuicLbConnectionIds}. */
export interface QuicLbServerConfig extends QuicLbParameters {
  /** Of this server alone, 1 to 15 bytes. */
  readonly serverId: Uint8Array;
  /** Write the length of the ID into its first byte, for hardware that looks up keys (§3.3). @defaultValue false */
  readonly encodesLength?: boolean;
}

const KEY_BYTES = 16;
const LEAST_NONCE_BYTES = 4;
const MOST_CONFIG_ID = 6;

/** @throws TransportError `XMPP_BAD_OPTION`. */
export function checkQuicLbConfig({ configId, serverIdBytes, nonceBytes, key }: QuicLbConfig): void {
  if (!Number.isInteger(configId) || configId < 0 || configId > MOST_CONFIG_ID) {
    throw badOption(`configId ${configId} is not from 0 to ${MOST_CONFIG_ID}`);
  }
  if (!Number.isInteger(serverIdBytes) || serverIdBytes < 1) throw badOption('the server ID is empty');
  if (!Number.isInteger(nonceBytes) || nonceBytes < LEAST_NONCE_BYTES) {
    throw badOption(`nonceBytes ${nonceBytes} is below ${LEAST_NONCE_BYTES}`);
  }
  if (!isConnectionIdLength(1 + serverIdBytes + nonceBytes)) {
    throw badOption(`server ID and nonce have ${serverIdBytes + nonceBytes} bytes together, which is not from 7 to 19`);
  }
  if (key !== null && key.length !== KEY_BYTES) throw badOption(`key has ${key.length} bytes instead of ${KEY_BYTES}`);
}

/** @throws TransportError `XMPP_BAD_OPTION`. */
export function checkQuicLbServerConfig(config: QuicLbServerConfig): void {
  checkQuicLbConfig({ ...config, serverIdBytes: config.serverId.length });
}

function badOption(why: string): TransportError {
  return new TransportError('XMPP_BAD_OPTION', `QUIC-LB: ${why}`);
}
