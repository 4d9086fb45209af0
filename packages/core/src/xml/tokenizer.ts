import type { ByteWindow } from './byte-window.ts';
import { isSpace } from './characters.ts';
import { checkDeclaration, DECLARATION_BYTES } from './declaration.ts';
import { OpenElements } from './open-elements.ts';
import { Reference } from './reference.ts';
import { refuse, refuseSize } from './refuse.ts';
import { isNameAt, passCdata, passName, passNameStart, passText, passUnusual, passValue } from './runs.ts';
import { StartTag } from './start-tag.ts';

/** The bounds the tokenizer keeps (see `Limits`). */
export interface TokenizerLimits {
  /** First-level element, from `<` to `>`, in bytes. */
  maxStanzaBytes: number;
  /** All bytes up to and including the `>` of the stream header. */
  readonly maxHeaderBytes: number;
  /** Nesting of elements; the root is depth 1. */
  readonly maxDepth: number;
  /** Attributes of one element, namespace declarations included. */
  readonly maxAttributes: number;
}

/** What was read: the root's start tag, a complete first-level element, the root's end tag; or the bytes ran out. */
export type Token = 'header' | 'element' | 'end' | 'more';

const EXCLAMATION = 0x21;
const DOUBLE_QUOTE = 0x22;
const AMPERSAND = 0x26;
const SINGLE_QUOTE = 0x27;
const SLASH = 0x2f;
const COLON = 0x3a;
const LESS = 0x3c;
const EQUALS = 0x3d;
const GREATER = 0x3e;
const QUESTION = 0x3f;
const LEFT_BRACKET = 0x5b;
const RIGHT_BRACKET = 0x5d;

const TARGET_XML: Buffer = Buffer.from('xml');
const CDATA_OPENING: Buffer = Buffer.from('CDATA[');

const TEXT_BETWEEN = 'text between first-level elements';

/** Where in the grammar the next byte stands. Plain numbers, because the machine switches on them for every token. */
const PROLOG = 0;
const BETWEEN = 1;
const TEXT = 2;
const TAG = 3;
const TAG_NAME = 4;
const TAG_LOCAL = 5;
const BEHIND_NAME = 6;
const BEFORE_ATTRIBUTE = 7;
const ATTRIBUTE_NAME = 8;
const ATTRIBUTE_LOCAL = 9;
const BEFORE_EQUALS = 10;
const BEFORE_VALUE = 11;
const VALUE = 12;
const EMPTY_TAG = 13;
const END_NAME = 14;
const END_TAG = 15;
const REFERENCE = 16;
const MARKUP = 17;
const CDATA_START = 18;
const CDATA = 19;
const INSTRUCTION = 20;
const DECLARATION = 21;
const DECLARATION_END = 22;
const EMPTY_ROOT = 23;

/**
 * The start tag being read, of whichever stream: a machine whose bytes end within a tag keeps it and leaves a fresh one. Of
 * thousands of streams that are idle none holds one.
 */
let sharedTag: StartTag = new StartTag();

/**
 * The restricted XML of RFC 6120 §11 as one machine over bytes, which can stop before any byte and go on later. It
 * checks (XML 1.0 5th edition, Namespaces in XML 1.0), counts and finds borders, and takes nothing apart: what it has
 * accepted is read again as text by whoever needs it.
 *
 * It throws a StreamError at the first byte that decides, and is not to be used afterwards.
 *
 * The file is long because the machine is one function, and because engines fold constants only within a module.
 */
export class Tokenizer {
  readonly elements: OpenElements = new OpenElements();
  readonly #window: ByteWindow;
  readonly #limits: TokenizerLimits;
  readonly #reference: Reference = new Reference();
  /** The tag that the bytes ended in; null outside of one. */
  #cutTag: StartTag | null = null;
  #headerStart = 0;

  #state = PROLOG;
  /** Where a reference leads back to. */
  #outerState = TEXT;
  /** Start of the token in progress: `<`, value or end tag's name; relative to the window's base. */
  #start = 0;
  #quote = 0;

  constructor(window: ByteWindow, limits: TokenizerLimits) {
    this.#window = window;
    this.#limits = limits;
  }

  /** Where the `<` of the stream header is, behind the window's base, once it has been read. */
  get headerStart(): number {
    return this.#window.base + this.#headerStart;
  }

  /** What follows the last token is a new document (RFC 6120 §4.3.3). */
  restart(): void {
    this.#window.position = this.#window.base;
    this.elements.reset();
    this.#cutTag = null;
    this.#state = PROLOG;
  }

  /**
   * Reads on to the next token. A header or element is then in the window, from its base to its position, and is to be
   * released before the next call.
   */
  next(): Token {
    const window = this.#window;
    if (this.#state === EMPTY_ROOT) return 'end';
    for (;;) {
      if (this.#state === BETWEEN) this.#skipSpace();
      const limit = this.elements.depth === 0 ? this.#limits.maxHeaderBytes : this.#limits.maxStanzaBytes;
      const token = this.#scan(limit);
      if (token !== 'more') return token;
      if (window.position - window.base >= limit) this.#refuseSize();
      if (!window.refill()) return 'more';
    }
  }

  /** White space between first-level elements is not kept (RFC 6120 §4.6.1), nor does it count. */
  #skipSpace(): void {
    const window = this.#window;
    const { bytes, end } = window;
    let index = window.position;
    while (index < end && isSpace(bytes[index] as number)) index++;
    window.position = index;
    window.base = index;
  }

  #refuseSize(): never {
    return this.elements.depth === 0 ? refuse('policy-violation', 'the stream header is too big') : refuseSize();
  }

  /** Runs the machine over the bytes in view, at most to `limit` bytes behind the base. */
  #scan(limit: number): Token {
    const window = this.#window;
    const { bytes, base } = window;
    const stop = Math.min(window.end, base + limit);
    const tag = this.#cutTag ?? sharedTag;
    let state = this.#state;
    let index = window.position;
    while (index < stop) {
      const byte = bytes[index] as number;
      switch (state) {
        case TEXT: {
          index = passText(bytes, index, stop);
          if (index === stop) break;
          const found = bytes[index] as number;
          if (found === LESS) {
            state = TAG;
            this.#start = index++ - base;
          } else if (found === AMPERSAND) {
            index++;
            state = this.#beginReference(TEXT);
          } else if (found === GREATER) {
            if (bytes[index - 1] === RIGHT_BRACKET && bytes[index - 2] === RIGHT_BRACKET) {
              refuse('not-well-formed', ']]> in text');
            }
            index++;
          } else {
            index = passUnusual(bytes, index);
          }
          break;
        }
        case TAG:
          if (byte === SLASH) {
            if (this.elements.depth === 0) refuse('not-well-formed', 'an end tag without a start tag');
            this.#start = ++index - base;
            state = END_NAME;
          } else if (byte === EXCLAMATION || byte === QUESTION) {
            index++;
            state = this.#beginMarkup(byte);
          } else {
            if (this.elements.depth >= this.#limits.maxDepth)
              refuse('policy-violation', 'elements are nested too deep');
            tag.begin(index - base);
            index = passNameStart(bytes, index);
            state = TAG_NAME;
          }
          break;
        case TAG_NAME:
          index = passName(bytes, index, stop);
          if (index >= stop) break;
          if (bytes[index] === COLON) {
            if (tag.nameColon > 0) refuse('not-well-formed', 'a name with two colons');
            tag.nameColon = index++ - base;
            state = TAG_LOCAL;
          } else {
            tag.nameEnd = index - base;
            state = BEHIND_NAME;
          }
          break;
        case TAG_LOCAL:
          index = passNameStart(bytes, index);
          state = TAG_NAME;
          break;
        case BEHIND_NAME:
          if (isSpace(byte)) {
            index++;
            state = BEFORE_ATTRIBUTE;
            break;
          }
          if (byte !== SLASH && byte !== GREATER) refuse('not-well-formed', 'no white space before an attribute');
          state = BEFORE_ATTRIBUTE;
          break;
        case BEFORE_ATTRIBUTE:
          if (isSpace(byte)) {
            index++;
          } else if (byte === GREATER) {
            window.position = ++index;
            this.elements.open(window, tag);
            if (this.elements.depth === 1) return this.#pauseAtHeader(tag, BETWEEN);
            state = TEXT;
          } else if (byte === SLASH) {
            index++;
            state = EMPTY_TAG;
          } else {
            if (tag.attributeCount >= this.#limits.maxAttributes) refuse('policy-violation', 'too many attributes');
            tag.beginAttribute(index - base);
            index = passNameStart(bytes, index);
            state = ATTRIBUTE_NAME;
          }
          break;
        case ATTRIBUTE_NAME:
          index = passName(bytes, index, stop);
          if (index >= stop) break;
          if (bytes[index] === COLON) {
            if (tag.attributeColon > 0) refuse('not-well-formed', 'a name with two colons');
            tag.attributeColon = index++ - base;
            state = ATTRIBUTE_LOCAL;
          } else {
            tag.endAttributeName(window, index - base);
            state = BEFORE_EQUALS;
          }
          break;
        case ATTRIBUTE_LOCAL:
          index = passNameStart(bytes, index);
          state = ATTRIBUTE_NAME;
          break;
        case BEFORE_EQUALS:
          if (byte === EQUALS) state = BEFORE_VALUE;
          else if (!isSpace(byte)) refuse('not-well-formed', 'an attribute without a value');
          index++;
          break;
        case BEFORE_VALUE:
          index++;
          if (byte === DOUBLE_QUOTE || byte === SINGLE_QUOTE) {
            this.#quote = byte;
            this.#start = index - base;
            state = VALUE;
          } else if (!isSpace(byte)) {
            refuse('not-well-formed', 'an attribute value without quotes');
          }
          break;
        case VALUE: {
          index = passValue(bytes, index, stop);
          if (index === stop) break;
          const found = bytes[index] as number;
          if (found === this.#quote) {
            tag.endAttribute(this.#start, index++ - base);
            state = BEHIND_NAME;
          } else if (found === AMPERSAND) {
            index++;
            tag.hasReference = true;
            state = this.#beginReference(VALUE);
          } else if (found === LESS) {
            refuse('not-well-formed', '< in an attribute value');
          } else {
            index = found === DOUBLE_QUOTE || found === SINGLE_QUOTE ? index + 1 : passUnusual(bytes, index);
          }
          break;
        }
        case EMPTY_TAG:
          if (byte !== GREATER) refuse('not-well-formed', 'a slash in a tag');
          window.position = ++index;
          this.elements.open(window, tag);
          if (this.elements.depth === 1) return this.#pauseAtHeader(tag, EMPTY_ROOT);
          this.elements.close();
          if (this.elements.depth === 1) return this.#pause('element', BETWEEN);
          state = TEXT;
          break;
        case END_NAME: {
          const { elements } = this;
          const isRoot = elements.depth === 1;
          const name = isRoot ? elements.rootName : bytes;
          const nameStart = isRoot ? 0 : base + elements.nameStart;
          const length = elements.nameLength;
          let offset = index - base - this.#start;
          while (index < stop && offset < length) {
            if (bytes[index] !== name[nameStart + offset]) {
              refuse('not-well-formed', 'an end tag that does not match its start tag');
            }
            index++;
            offset++;
          }
          if (offset === length) state = END_TAG;
          break;
        }
        case END_TAG:
          index++;
          if (byte === GREATER) {
            window.position = index;
            this.elements.close();
            if (this.elements.depth === 1) return this.#pause('element', BETWEEN);
            if (this.elements.depth === 0) return 'end';
            state = TEXT;
          } else if (!isSpace(byte)) {
            refuse('not-well-formed', 'an end tag that does not match its start tag');
          }
          break;
        default:
          this.#state = state;
          index = this.#scanRare(bytes, index, stop);
          state = this.#state;
      }
    }
    this.#state = state;
    window.position = index;
    this.#keepCutTag(tag);
    return 'more';
  }

  #pause(token: Token, state: number): Token {
    this.#state = state;
    this.#cutTag = null;
    return token;
  }

  #pauseAtHeader({ nameStart }: StartTag, state: number): Token {
    this.#headerStart = nameStart - 1;
    return this.#pause('header', state);
  }

  #keepCutTag(tag: StartTag): void {
    if (!this.#isWithinTag()) {
      this.#cutTag = null;
    } else if (tag === sharedTag) {
      this.#cutTag = tag;
      sharedTag = new StartTag();
    }
  }

  /** Also within a reference in one of its values. */
  #isWithinTag(): boolean {
    const state = this.#state === REFERENCE ? this.#outerState : this.#state;
    return state >= TAG && state <= EMPTY_TAG;
  }

  /** Takes bytes from `index` in a state that an ordinary stanza does not see. @returns where to go on. */
  #scanRare(bytes: Buffer, index: number, stop: number): number {
    const byte = bytes[index] as number;
    switch (this.#state) {
      case PROLOG:
        return this.#scanProlog(byte, index);
      case BETWEEN:
        return this.#scanBetween(bytes, index);
      case REFERENCE:
        if (this.#reference.accept(bytes, index)) this.#endReference();
        return index + 1;
      case MARKUP:
        // Only a CDATA section may begin with "<!" inside the root.
        if (byte !== LEFT_BRACKET) refuse('restricted-xml', 'a comment or a part of a DTD');
        this.#start = index + 1 - this.#window.base;
        this.#state = CDATA_START;
        return index + 1;
      case CDATA_START:
        return this.#scanCdataStart(byte, index);
      case CDATA:
        return this.#scanCdata(bytes, index, stop);
      case INSTRUCTION:
        return this.#scanInstruction(bytes, index);
      case DECLARATION:
        if (byte === QUESTION) this.#state = DECLARATION_END;
        else if (DECLARATION_BYTES[byte] === 0) refuse('not-well-formed', 'the XML declaration');
        return index + 1;
      default:
        if (byte !== GREATER) refuse('not-well-formed', 'the XML declaration');
        checkDeclaration(this.#window.text(this.#window.base, index + 1));
        this.#state = PROLOG;
        return index + 1;
    }
  }

  #scanProlog(byte: number, index: number): number {
    if (byte === LESS) {
      this.#start = index - this.#window.base;
      this.#state = TAG;
    } else if (byte === AMPERSAND) {
      this.#state = this.#beginReference(PROLOG);
    } else if (!isSpace(byte)) {
      refuse('not-well-formed', 'text before the stream header');
    }
    return index + 1;
  }

  #scanBetween(bytes: Buffer, index: number): number {
    if (bytes[index] === LESS) {
      this.#state = TAG;
    } else if (bytes[index] === AMPERSAND) {
      this.#state = this.#beginReference(BETWEEN);
    } else {
      passUnusual(bytes, index);
      refuse('bad-format', TEXT_BETWEEN);
    }
    return index + 1;
  }

  #beginReference(outerState: number): number {
    this.#outerState = outerState;
    this.#reference.begin();
    return REFERENCE;
  }

  #endReference(): void {
    if (this.#outerState === BETWEEN) refuse('bad-format', TEXT_BETWEEN);
    if (this.#outerState === PROLOG) refuse('not-well-formed', 'text before the stream header');
    this.#state = this.#outerState;
  }

  /** Behind `<!` or `<?`. */
  #beginMarkup(byte: number): number {
    const isProlog = this.elements.depth === 0;
    if (byte === EXCLAMATION) return isProlog ? refuse('restricted-xml', 'a comment or a DTD') : MARKUP;
    return isProlog ? INSTRUCTION : refuse('restricted-xml', 'a processing instruction');
  }

  #scanCdataStart(byte: number, index: number): number {
    const offset = index - this.#window.base - this.#start;
    if (byte !== CDATA_OPENING[offset]) refuse('not-well-formed', 'neither markup nor a CDATA section');
    if (offset === CDATA_OPENING.length - 1) {
      if (this.elements.depth === 1) refuse('bad-format', TEXT_BETWEEN);
      this.#state = CDATA;
    }
    return index + 1;
  }

  #scanCdata(bytes: Buffer, start: number, stop: number): number {
    const index = passCdata(bytes, start, stop);
    if (index === stop) return index;
    if (bytes[index] !== GREATER) return passUnusual(bytes, index);
    if (bytes[index - 1] === RIGHT_BRACKET && bytes[index - 2] === RIGHT_BRACKET) this.#state = TEXT;
    return index + 1;
  }

  /** Behind `<?`: the one thing allowed is the XML declaration, as the very first of a document (RFC 6120 §11.5). */
  #scanInstruction(bytes: Buffer, index: number): number {
    const offset = index - this.#window.base - this.#start - 2;
    const byte = bytes[index] as number;
    if (offset < TARGET_XML.length) {
      if (byte !== TARGET_XML[offset]) refuse('restricted-xml', 'a processing instruction');
    } else if (isNameAt(bytes, index)) {
      refuse('restricted-xml', 'a processing instruction');
    } else if (this.#start > 0 || !isSpace(byte)) {
      refuse('not-well-formed', 'an XML declaration that is out of place');
    } else {
      this.#state = DECLARATION;
    }
    return index + 1;
  }
}
