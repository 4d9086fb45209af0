import { StreamError } from '../stream-error.ts';
import type { StreamHeader } from '../stream-header.ts';
import { ByteWindow } from './byte-window.ts';
import { refuse } from './refuse.ts';
import { type Inheritance, Stanza } from './stanza.ts';
import { type Token, Tokenizer, type TokenizerLimits } from './tokenizer.ts';
import { endOfName, readAttributes } from './tree.ts';
import { Utf8Gate } from './utf8.ts';

/** What an {@link XmlStreamReader} reports, in order. The calls are synchronous. */
export interface XmlStreamSink {
  /** The root's start tag. */
  onHeader(header: StreamHeader): void;
  /** A first-level element, complete. */
  onStanza(stanza: Stanza): void;
  /** The root's end tag. The reader ignores what follows. */
  onEnd(): void;
  /** The bytes are not what RFC 6120 allows. The reader ignores what follows. */
  onError(error: StreamError): void;
}

/** The bounds of a reader; those of `Limits` that parsing decides. */
export type XmlReaderLimits = Readonly<TokenizerLimits>;

/**
 * Reads one XML stream (RFC 6120 §4, §11) from bytes as they come. Where the bytes are cut means nothing; everything
 * complete before a fault is reported before the fault; nothing is built before its size, depth and form are known to
 * be good. Bad input is reported and never thrown.
 */
export class XmlStreamReader {
  readonly #sink: XmlStreamSink;
  readonly #limits: TokenizerLimits;
  readonly #gate: Utf8Gate = new Utf8Gate();
  readonly #window: ByteWindow = new ByteWindow();
  readonly #tokenizer: Tokenizer;
  #usualInheritance: Inheritance = { contentNamespace: '', inheritsDefault: true, bindings: [] };
  #isPaused = false;
  #isRunning = false;
  #outcome: 'none' | 'ended' | 'failed' = 'none';

  constructor(sink: XmlStreamSink, limits: XmlReaderLimits) {
    this.#sink = sink;
    this.#limits = { ...limits };
    this.#tokenizer = new Tokenizer(this.#window, this.#limits);
  }

  /** Largest first-level element, in bytes as received. Changing it holds from the next byte on. */
  get maxStanzaBytes(): number {
    return this.#limits.maxStanzaBytes;
  }

  set maxStanzaBytes(bytes: number) {
    this.#limits.maxStanzaBytes = bytes;
  }

  /** Bytes held: waiting while paused, and of the element in progress. */
  get retainedBytes(): number {
    return this.#window.retainedBytes + this.#gate.heldBytes;
  }

  /** A callback is being called; more of what was fed may follow it. */
  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Takes the next bytes, which must not change afterwards: they may be read later. */
  feed(bytes: Uint8Array): void {
    if (this.#outcome !== 'none') return;
    for (const run of this.#gate.push(asBuffer(bytes))) this.#window.push(run);
    this.#run();
  }

  /** No callback from now on, until {@link resume}. */
  pause(): void {
    this.#isPaused = true;
  }

  /** Goes on with what was held back, at once; inside a callback, after it. */
  resume(): void {
    this.#isPaused = false;
    this.#run();
  }

  /** What follows the element reported last is a new document (RFC 6120 §4.3.3); nothing of the old one holds for it. */
  restart(): void {
    this.#tokenizer.restart();
  }

  #run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    // A callback may throw: that is its caller's affair, and the next call goes on behind what was reported.
    try {
      while (!this.#isPaused && this.#outcome === 'none' && this.#step());
    } finally {
      this.#isRunning = false;
    }
  }

  /** Reports one thing; false when the bytes ran out. */
  #step(): boolean {
    const token = this.#nextToken();
    if (token === 'element') {
      this.#sink.onStanza(this.#takeStanza());
    } else if (token === 'header') {
      this.#sink.onHeader(this.#takeHeader());
    } else if (token === 'end') {
      this.#finish('ended');
      this.#sink.onEnd();
    } else if (token instanceof StreamError) {
      this.#finish('failed');
      this.#sink.onError(token);
    } else {
      return false;
    }
    return true;
  }

  #nextToken(): Token | StreamError {
    try {
      const token = this.#tokenizer.next();
      if (token === 'more' && this.#gate.isBroken) refuse('unsupported-encoding', 'the bytes are not UTF-8');
      return token;
    } catch (thrown) {
      return thrown instanceof StreamError ? thrown : new StreamError('internal-server-error', { cause: thrown });
    }
  }

  #takeStanza(): Stanza {
    const window = this.#window;
    const { namespace, prefix } = this.#tokenizer.elements;
    const source = window.text(window.base, window.position);
    const nameStart = prefix === '' ? 1 : prefix.length + 2;
    const name = source.slice(nameStart, endOfName(source, nameStart));
    window.release();
    return new Stanza({ name, prefix, namespace, source, inheritance: this.#takeInheritance() });
  }

  /** Nearly every stanza takes the same from the header: its default namespace. One object serves them all. */
  #takeInheritance(): Inheritance {
    const { contentNamespace, inheritsDefault, inherited } = this.#tokenizer.elements;
    if (inheritsDefault && inherited.length === 0) return this.#usualInheritance;
    return { contentNamespace, inheritsDefault, bindings: inherited };
  }

  #takeHeader(): StreamHeader {
    const window = this.#window;
    const { contentNamespace } = this.#tokenizer.elements;
    this.#usualInheritance = { contentNamespace, inheritsDefault: true, bindings: [] };
    const attributes = readAttributes(window.text(this.#tokenizer.headerStart, window.position));
    window.release();
    const { to, from, id, version, 'xml:lang': lang } = attributes;
    return { namespace: contentNamespace, to, from, id, version, lang };
  }

  #finish(outcome: 'ended' | 'failed'): void {
    this.#outcome = outcome;
    this.#window.clear();
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
