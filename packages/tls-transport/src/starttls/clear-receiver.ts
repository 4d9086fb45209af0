import {
  CONTENT_NAMESPACES,
  type ConnectionKind,
  completeHeader,
  isStanza,
  isStarttls,
  isStreamError,
  judgeHeader,
  type Limits,
  normalizeDomain,
  parseStreamError,
  STARTTLS_FAILURE,
  STREAM_END,
  type Stanza,
  StreamError,
  type StreamHeader,
  TransportError,
  writeHeader,
  writeStreamError,
  XmlStreamReader,
  type XmlStreamSink,
} from '@stanzaport/core';
import { type ClearAgreement, type ClearStep, TLS_NAMESPACE } from './clear-step.ts';

/** What the receiving entity allows before TLS. */
export interface ClearReceiverOptions {
  readonly kinds: readonly ConnectionKind[];
  /** Whether there is a credential for a domain, given as A-labels. */
  readonly serves: (domain: string) => boolean;
  readonly limits: Limits;
}

const FEATURES = `<stream:features><starttls xmlns='${TLS_NAMESPACE}'><required/></starttls></stream:features>`;
const PROCEED = `<proceed xmlns='${TLS_NAMESPACE}'/>`;

/**
 * The clear-text part of STARTTLS in the receiving role (RFC 6120 §5.4.2): a header for a header, one feature, and after
 * `<starttls/>` the end of all XML in clear text. Takes bytes, says what to do; touches no socket and throws nothing.
 */
export class ClearReceiver implements XmlStreamSink {
  readonly #options: ClearReceiverOptions;
  readonly #reader: XmlStreamReader;
  /** What this and all further bytes together may be: that of one header and one element. */
  #budget: number;
  #text = '';
  #kind: ConnectionKind;
  #header: StreamHeader | null = null;
  #sentHeader = false;
  #agreed: ClearAgreement | null = null;
  #error: TransportError | null = null;

  constructor(options: ClearReceiverOptions) {
    this.#options = options;
    const { maxHeaderBytes, maxUnauthenticatedStanzaBytes, maxDepth, maxAttributes } = options.limits;
    this.#budget = maxHeaderBytes + maxUnauthenticatedStanzaBytes;
    this.#kind = options.kinds[0] ?? 'c2s';
    this.#reader = new XmlStreamReader(this, {
      maxStanzaBytes: maxUnauthenticatedStanzaBytes,
      maxHeaderBytes,
      maxDepth,
      maxAttributes,
    });
  }

  /** Takes the next bytes. Not to be called again after anything but `wait`. */
  receive(bytes: Uint8Array): ClearStep {
    this.#budget -= bytes.length;
    if (this.#budget >= 0) this.#reader.feed(bytes);
    else this.#refuse(new StreamError('policy-violation', { text: 'too many bytes before TLS' }));
    // White space behind it is read and gone; whatever else came along would pass for a part of the secured stream.
    if (this.#agreed !== null && this.#reader.retainedBytes > 0) this.#refuseInjected();
    const text = this.#text;
    this.#text = '';
    if (this.#error !== null) return { type: 'end', text, error: this.#error };
    if (this.#agreed === null) return { type: 'wait', text };
    return { type: 'secure', text: `${text}${PROCEED}`, agreed: this.#agreed };
  }

  onHeader(header: StreamHeader): void {
    const { kinds, serves } = this.#options;
    const kind = kinds.find((candidate) => CONTENT_NAMESPACES[candidate] === header.namespace);
    this.#kind = kind ?? this.#kind;
    const context = { kind: this.#kind, role: 'receiving', serves, covers: () => true } as const;
    const error = judgeHeader(header, { ...context, previous: null, expectedFrom: null });
    // RFC 6120 §4.9.1.3: the response header must not claim a host that is not ours.
    this.#header = error === null ? header : { ...header, to: undefined };
    if (error !== null) return this.#refuse(error);
    this.#writeHeader();
    this.#text += FEATURES;
  }

  onStanza(stanza: Stanza): void {
    if (this.#agreed !== null) this.#refuseInjected();
    else if (this.#error !== null) return;
    else if (isStarttls(stanza)) this.#agree();
    else if (isStreamError(stanza)) this.#end(STREAM_END, parseStreamError(stanza));
    else if (isStanza(stanza, CONTENT_NAMESPACES[this.#kind])) {
      this.#refuse(new StreamError('not-authorized', { text: 'TLS comes first' }));
    } else {
      this.#refuse(new StreamError('policy-violation', { text: 'TLS comes first' }));
    }
  }

  onEnd(): void {
    if (this.#agreed !== null) this.#refuseInjected();
    else this.#end(STREAM_END, new TransportError('XMPP_PEER_CLOSED', 'the peer closed its stream before TLS'));
  }

  onError(error: StreamError): void {
    if (this.#agreed !== null) this.#refuseInjected();
    else this.#refuse(error);
  }

  #agree(): void {
    const domain = normalizeDomain(this.#header?.to ?? '') ?? '';
    if (this.#options.serves(domain)) this.#agreed = { kind: this.#kind, domain };
    // The credential may have gone since the header.
    else this.#end(STARTTLS_FAILURE + STREAM_END, new TransportError('XMPP_TLS_FAILED', `no credential for ${domain}`));
  }

  /** RFC 6120 §5.4.3.1: ended without TLS, and without a word. */
  #refuseInjected(): void {
    this.#error ??= new TransportError('XMPP_TRANSPORT_VIOLATION', 'the peer sent bytes behind <starttls/>');
    this.#text = '';
  }

  #refuse(error: StreamError): void {
    if (this.#error !== null) return;
    if (!this.#sentHeader) this.#writeHeader();
    this.#end(writeStreamError(error) + STREAM_END, error);
  }

  #end(text: string, error: TransportError): void {
    if (this.#error !== null) return;
    this.#text += text;
    this.#error = error;
    this.#reader.pause();
  }

  #writeHeader(): void {
    this.#sentHeader = true;
    this.#text += writeHeader(completeHeader({}, { kind: this.#kind, role: 'receiving', peer: this.#header }));
  }
}
