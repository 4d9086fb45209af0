import { createPrivateKey, X509Certificate } from 'node:crypto';
import { TLS_SETTINGS } from '@stanzaport/tls-shared';
import { type EngineConfig, type EngineConfigOptions, type EngineCredential, EngineError } from './port.ts';
import { type NativeConfig, quiche } from './quiche-binding.ts';

/** Largest value a QUIC variable-length integer holds is 2^62-1; numbers of ours stay where they are exact. */
const MAX_VARINT = Number.MAX_SAFE_INTEGER;

/**
 * Connection-level credit, in bytes. It is meant never to be used up: quiche 0.18 does not send a lost MAX_DATA
 * again, and the connection would stand still for ever. Memory is bounded by stream window × number of streams.
 */
const NEVER_REACHED_MAX_DATA = 1e15;

/** RFC 9000 §14.1, and the largest payload the engine uses. */
const DATAGRAM_BYTES = { least: 1200, most: 16_383 };

/** {@link EngineConfig} of the quiche engine. */
export class QuicheConfig implements EngineConfig {
  readonly role: 'client' | 'server';
  /** @internal */
  readonly native: NativeConfig;
  #ticketKey: Uint8Array | null = null;

  constructor(options: EngineConfigOptions) {
    checkAlpn(options.alpn);
    if (options.credential !== null) checkCredential(options.credential);
    else if (options.role === 'server') throw new EngineError('misuse', 'a server needs a credential');
    this.role = options.role;
    this.native = nativeConfig(options);
  }

  /** From now on tickets are opened and sealed by `key`, which does not change; of all connections of the configuration. */
  useTicketKey(key: Uint8Array): void {
    if (key === this.#ticketKey) return;
    this.native.setTicketKey(key);
    this.#ticketKey = key;
  }
}

function nativeConfig(options: EngineConfigOptions): NativeConfig {
  const { credential } = options;
  // A client always gets the chain; asking is the server's choice. "Allow fail" leaves the verdict to our own policy.
  const native = quiche.Config.withBoringSslCtx(
    options.role === 'client' || options.requestPeerCertificate,
    true,
    null,
    credential === null ? null : [asBuffer(credential.keyPem)],
    credential === null ? null : [asBuffer(credential.chainPem)],
    TLS_SETTINGS.signatureAlgorithms.join(':'),
  );
  const datagramBytes = wholeNumber(options.maxDatagramBytes, DATAGRAM_BYTES.least, DATAGRAM_BYTES.most);
  const streamWindow = wholeNumber(options.streamWindowBytes, 0, MAX_VARINT);
  native.setApplicationProtos([...options.alpn]);
  native.grease(true);
  native.setCcAlgorithm(quiche.CongestionControlAlgorithm.CUBIC);
  native.setMaxIdleTimeout(wholeNumber(options.idleTimeoutMs, 0, MAX_VARINT));
  native.setMaxRecvUdpPayloadSize(datagramBytes);
  native.setMaxSendUdpPayloadSize(datagramBytes);
  native.setInitialMaxData(NEVER_REACHED_MAX_DATA);
  native.setMaxConnectionWindow(NEVER_REACHED_MAX_DATA);
  native.setInitialMaxStreamDataBidiLocal(streamWindow);
  native.setInitialMaxStreamDataBidiRemote(streamWindow);
  native.setMaxStreamWindow(wholeNumber(options.maxStreamWindowBytes, streamWindow, MAX_VARINT));
  native.setInitialMaxStreamsBidi(wholeNumber(options.maxPeerStreams, 0, 2 ** 50));
  native.setInitialMaxStreamDataUni(0);
  native.setInitialMaxStreamsUni(0);
  native.setActiveConnectionIdLimit(wholeNumber(options.activeConnectionIdLimit, 2, MAX_VARINT));
  if (options.earlyData === true) native.enableEarlyData();
  return native;
}

/** A number that can be handed to native code: it aborts the process on a negative one or one above 2^62-1. */
export function wholeNumber(value: number, least: number, most: number): number {
  if (Number.isNaN(value)) return least;
  return Math.min(most, Math.max(least, Math.trunc(value)));
}

function checkAlpn(protocols: readonly string[]): void {
  const wrong = protocols.find((protocol) => protocol.length === 0 || Buffer.byteLength(protocol) > 255);
  if (wrong !== undefined || protocols.length === 0) {
    throw new EngineError('misuse', 'ALPN needs at least one protocol name, each of 1 to 255 bytes');
  }
}

/** The binding takes anything here without a word and fails every handshake later. */
function checkCredential({ chainPem, keyPem }: EngineCredential): void {
  let fits: boolean;
  try {
    fits = new X509Certificate(chainPem).checkPrivateKey(createPrivateKey(asBuffer(keyPem)));
  } catch (cause) {
    throw new EngineError('misuse', `credential cannot be read: ${cause instanceof Error ? cause.message : cause}`);
  }
  if (!fits) throw new EngineError('misuse', 'the private key does not belong to the first certificate of the chain');
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
