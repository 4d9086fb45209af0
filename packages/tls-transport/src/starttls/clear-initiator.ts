import {
  CONTENT_NAMESPACES,
  type ConnectionKind,
  completeHeader,
  isFeatures,
  isStreamError,
  judgeHeader,
  type Limits,
  parseStreamError,
  type Stanza,
  type StreamError,
  type StreamHeader,
  TransportError,
  writeHeader,
  XmlStreamReader,
  type XmlStreamSink,
} from '@stanzaport/core';
import { type ClearAgreement, type ClearStep, TLS_NAMESPACE } from './clear-step.ts';

/** Whom the initiating entity wants to reach. */
export interface ClearInitiatorOptions extends ClearAgreement {
  readonly kind: ConnectionKind;
  /** s2s: our own domain, if it is known; a client says who it is under TLS only. */
  readonly localDomain: string | null;
  /** For messages. */
  readonly peer: string;
  readonly limits: Limits;
}

/** How much of a name that the peer made up goes into a message. */
const MAX_NAME_LENGTH = 50;
const STARTTLS = `<starttls xmlns='${TLS_NAMESPACE}'/>`;

/**
 * The clear-text part of STARTTLS in the initiating role (RFC 6120 §5.4.3): it asks for TLS even where that is not offered,
 * goes on only with `<proceed/>`, and with nothing behind it. Takes bytes, says what to do; touches no socket and throws nothing.
 */
export class ClearInitiator implements XmlStreamSink {
  readonly #options: ClearInitiatorOptions;
  readonly #reader: XmlStreamReader;
  #budget: number;
  #text = '';
  #asked = false;
  #proceeds = false;
  #error: TransportError | null = null;

  constructor(options: ClearInitiatorOptions) {
    this.#options = options;
    const { maxHeaderBytes, maxUnauthenticatedStanzaBytes, maxDepth, maxAttributes } = options.limits;
    this.#budget = maxHeaderBytes + 2 * maxUnauthenticatedStanzaBytes;
    this.#reader = new XmlStreamReader(this, {
      maxStanzaBytes: maxUnauthenticatedStanzaBytes,
      maxHeaderBytes,
      maxDepth,
      maxAttributes,
    });
  }

  /** What is to be sent first. */
  start(): string {
    const { kind, domain, localDomain } = this.#options;
    const fields = { to: domain, ...(localDomain === null ? {} : { from: localDomain }) };
    return writeHeader(completeHeader(fields, { kind, role: 'initiating', peer: null }));
  }

  /** Takes the next bytes. Not to be called again after anything but `wait`. */
  receive(bytes: Uint8Array): ClearStep {
    this.#budget -= bytes.length;
    if (this.#budget >= 0) this.#reader.feed(bytes);
    else this.#fail('XMPP_TRANSPORT_VIOLATION', 'sent too many bytes before TLS');
    const isBehind = this.#proceeds && this.#reader.retainedBytes > 0;
    if (isBehind) this.#fail('XMPP_TRANSPORT_VIOLATION', 'sent bytes behind <proceed/>');
    const text = this.#text;
    this.#text = '';
    if (this.#error !== null) return { type: 'end', text: '', error: this.#error };
    if (!this.#proceeds) return { type: 'wait', text };
    const { kind, domain } = this.#options;
    return { type: 'secure', text, agreed: { kind, domain } };
  }

  onHeader(header: StreamHeader): void {
    const { kind, domain } = this.#options;
    const context = { kind, role: 'initiating', serves: () => true, covers: () => true } as const;
    const error = judgeHeader(header, { ...context, previous: null, expectedFrom: domain });
    if (error?.condition === 'invalid-namespace') this.#failForKind(error);
    else if (error !== null) this.#fail('XMPP_TRANSPORT_VIOLATION', `sent a bad header: ${error.message}`, error);
  }

  onStanza(stanza: Stanza): void {
    if (this.#error !== null || this.#proceeds) return;
    const { name, namespace } = stanza;
    if (isStreamError(stanza)) {
      this.#onStreamError(parseStreamError(stanza));
    } else if (!this.#asked && isFeatures(stanza)) {
      // Whatever they offer (RFC 7590 §3.1): an attacker could have taken the offer out.
      this.#asked = true;
      this.#text += STARTTLS;
    } else if (this.#asked && namespace === TLS_NAMESPACE && name === 'proceed') {
      this.#proceeds = true;
      // What is behind it stays where it can be seen.
      this.#reader.pause();
    } else if (this.#asked && namespace === TLS_NAMESPACE && name === 'failure') {
      this.#fail('XMPP_TLS_FAILED', 'refused STARTTLS');
    } else {
      this.#fail('XMPP_TLS_FAILED', `answered with <${name.slice(0, MAX_NAME_LENGTH)}/> instead of negotiating TLS`);
    }
  }

  onEnd(): void {
    this.#fail('XMPP_TLS_FAILED', 'closed its stream instead of negotiating TLS');
  }

  onError(error: StreamError): void {
    this.#fail('XMPP_TRANSPORT_VIOLATION', `sent what is no XMPP: ${error.message}`, error);
  }

  #onStreamError(error: StreamError): void {
    if (error.condition === 'invalid-namespace') this.#failForKind(error);
    else this.#fail('XMPP_TLS_FAILED', `ended the stream before TLS: ${error.condition}`, error);
  }

  #failForKind(cause: StreamError): void {
    const namespace = CONTENT_NAMESPACES[this.#options.kind];
    this.#fail('XMPP_NO_APPLICATION_PROTOCOL', `does not speak ${namespace}`, cause);
  }

  #fail(
    code: 'XMPP_TRANSPORT_VIOLATION' | 'XMPP_TLS_FAILED' | 'XMPP_NO_APPLICATION_PROTOCOL',
    what: string,
    cause?: StreamError,
  ): void {
    this.#error ??= new TransportError(code, `${this.#options.peer} ${what}`, { cause });
    this.#reader.pause();
  }
}
