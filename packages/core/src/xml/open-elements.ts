import type { ByteWindow } from './byte-window.ts';
import { refuse } from './refuse.ts';
import type { StartTag } from './start-tag.ts';
import { attributeValue, STREAMS_NAMESPACE, XML_NAMESPACE, XMLNS_NAMESPACE } from './values.ts';

/** A namespace declaration in scope. */
export interface Binding {
  readonly prefix: string;
  readonly namespace: string;
  /** Of the element that declares it: 1 for the stream header, 0 for `xml`. */
  readonly depth: number;
  /** What it hides. */
  readonly hidden: Binding | undefined;
  /** The declaration before it. */
  readonly before: Binding | null;
}

/** Depth of the root, and of a first-level element. */
const ROOT = 1;
const FIRST_LEVEL = 2;

const NO_BINDINGS: readonly Binding[] = Object.freeze([]);

const XML_BINDING: Binding = Object.freeze({
  prefix: 'xml',
  namespace: XML_NAMESPACE,
  depth: 0,
  hidden: undefined,
  before: null,
});

/**
 * The elements that are open, and the namespaces in their scope (Namespaces in XML 1.0).
 *
 * An element pays for what it writes: a name without prefix costs no look-up, and text is only decoded for a prefix or
 * a declaration. What a first-level element takes from the stream header is noted on the way.
 */
export class OpenElements {
  depth = 0;
  /** Content namespace: the default namespace of the root, '' without one (RFC 6120 §4.8.2). */
  contentNamespace = '';
  /** Of the first-level element in progress. */
  prefix = '';
  namespace = '';
  /** The first-level element in progress takes its or a nested element's namespace from the root's default. */
  inheritsDefault = false;
  /** The declarations of the root that the first-level element in progress uses. */
  inherited: readonly Binding[] = NO_BINDINGS;

  /** The root's name as written; its start tag is not kept. */
  rootName: Buffer = Buffer.alloc(0);

  // As deep as most stanzas: an array that is empty at first grows to more than twice as much with its first item.
  readonly #nameStarts: number[] = [0, 0, 0, 0, 0, 0, 0, 0];
  readonly #nameEnds: number[] = [0, 0, 0, 0, 0, 0, 0, 0];
  readonly #bindings: Map<string, Binding> = new Map();
  /** The last declaration that is in scope. */
  #declared: Binding | null = null;
  /** Depth of the outermost element below the root that declares a default namespace, 0 if none does. */
  #defaultDepth = 0;

  constructor() {
    this.reset();
  }

  /** A new document begins. */
  reset(): void {
    this.depth = 0;
    this.contentNamespace = '';
    this.#defaultDepth = 0;
    this.#declared = null;
    this.#bindings.clear();
    this.#bindings.set('xml', XML_BINDING);
  }

  open(window: ByteWindow, tag: StartTag): void {
    const depth = ++this.depth;
    this.#nameStarts[depth] = tag.nameStart;
    this.#nameEnds[depth] = tag.nameEnd;
    if (depth === FIRST_LEVEL) {
      this.inheritsDefault = false;
      this.inherited = NO_BINDINGS;
    }
    const ownDefault = tag.declarationCount === 0 ? undefined : this.#declare(window, tag);
    if (ownDefault !== undefined && this.#defaultDepth === 0 && depth > ROOT) this.#defaultDepth = depth;
    if (tag.nameColon === 0 && this.#defaultDepth === 0) this.inheritsDefault = true;
    if (tag.nameColon > 0) this.#checkPrefixed(window, tag);
    if (tag.prefixedCount > 0) this.#resolveAttributes(window, tag);
    if (depth === ROOT) this.#openRoot(window, tag, ownDefault ?? '');
    else if (depth === FIRST_LEVEL) this.#openFirstLevel(window, tag, ownDefault);
  }

  close(): void {
    const depth = this.depth--;
    if (this.#defaultDepth === depth) this.#defaultDepth = 0;
    for (let last = this.#declared; last !== null && last.depth === depth; last = last.before) {
      this.#declared = last.before;
      if (last.hidden === undefined) this.#bindings.delete(last.prefix);
      else this.#bindings.set(last.prefix, last.hidden);
    }
  }

  /** Where the name of the innermost element is, relative to the base; the root's is kept as {@link rootName}. */
  get nameStart(): number {
    return this.#nameStarts[this.depth] as number;
  }

  get nameLength(): number {
    return (this.#nameEnds[this.depth] as number) - (this.#nameStarts[this.depth] as number);
  }

  /** Enters the declarations of `tag`. @returns the default namespace it declares. */
  #declare(window: ByteWindow, tag: StartTag): string | undefined {
    let ownDefault: string | undefined;
    for (let index = 0; index < tag.attributeCount; index++) {
      if (tag.kinds[index] !== 'declaration') continue;
      const colon = tag.colons[index] as number;
      if (colon === 0) ownDefault = this.#declareDefault(window, tag, index);
      else this.#declarePrefix(textOf(window, colon + 1, tag.ends[index]), declaredValue(window, tag, index));
    }
    return ownDefault;
  }

  /** Below the first level only the fact matters, so the value stays undecoded unless it may be a reserved one. */
  #declareDefault(window: ByteWindow, tag: StartTag, index: number): string {
    const length = (tag.valueEnds[index] as number) - (tag.valueStarts[index] as number);
    const mayBeReserved = tag.hasReference || length === XML_NAMESPACE.length || length === XMLNS_NAMESPACE.length;
    if (this.depth > FIRST_LEVEL && !mayBeReserved) return '';
    const namespace = declaredValue(window, tag, index);
    if (namespace === XML_NAMESPACE || namespace === XMLNS_NAMESPACE) {
      refuse('not-well-formed', 'a reserved namespace is declared as the default');
    }
    return namespace;
  }

  #declarePrefix(prefix: string, namespace: string): void {
    if (prefix === 'xmlns' || namespace === XMLNS_NAMESPACE) refuse('not-well-formed', 'xmlns must not be declared');
    if ((prefix === 'xml') !== (namespace === XML_NAMESPACE)) refuse('not-well-formed', 'xml is bound to another name');
    if (namespace === '') refuse('not-well-formed', 'a prefix is bound to no namespace');
    if (prefix === 'xml') return;
    const hidden = this.#bindings.get(prefix);
    const binding = { prefix, namespace, depth: this.depth, hidden, before: this.#declared };
    this.#bindings.set(prefix, binding);
    this.#declared = binding;
  }

  #checkPrefixed(window: ByteWindow, tag: StartTag): void {
    const namespace = this.#resolve(textOf(window, tag.nameStart, tag.nameColon));
    if (this.depth > ROOT && namespace === this.contentNamespace) {
      refuse('bad-namespace-prefix', 'an element of the content namespace has a prefix');
    }
  }

  #resolveAttributes(window: ByteWindow, tag: StartTag): void {
    const names = tag.prefixedCount > 1 ? new Set<string>() : null;
    for (let index = 0; index < tag.attributeCount; index++) {
      if (tag.kinds[index] !== 'prefixed') continue;
      const colon = tag.colons[index] as number;
      const namespace = this.#resolve(textOf(window, tag.starts[index] as number, colon));
      if (names === null) continue;
      const name = `${namespace} ${textOf(window, colon + 1, tag.ends[index])}`;
      if (names.has(name)) refuse('not-well-formed', 'an attribute is given twice, with different prefixes');
      names.add(name);
    }
  }

  #resolve(prefix: string): string {
    const binding = this.#bindings.get(prefix) ?? refuse('not-well-formed', 'a prefix is not declared');
    if (binding.depth === ROOT && this.depth > ROOT && !this.inherited.includes(binding)) {
      this.inherited = [...this.inherited, binding];
    }
    return binding.namespace;
  }

  #openRoot(window: ByteWindow, tag: StartTag, ownDefault: string): void {
    if (localNameOf(window, tag) !== 'stream') refuse('bad-format', 'the root is not a stream');
    const namespace = tag.nameColon === 0 ? ownDefault : this.#resolve(textOf(window, tag.nameStart, tag.nameColon));
    if (namespace !== STREAMS_NAMESPACE) refuse('invalid-namespace', `the root is not in ${STREAMS_NAMESPACE}`);
    this.rootName = Buffer.from(textOf(window, tag.nameStart, tag.nameEnd));
    this.contentNamespace = ownDefault;
  }

  #openFirstLevel(window: ByteWindow, tag: StartTag, ownDefault: string | undefined): void {
    if (tag.nameColon === 0) {
      this.prefix = '';
      this.namespace = ownDefault ?? this.contentNamespace;
    } else {
      this.prefix = textOf(window, tag.nameStart, tag.nameColon);
      this.namespace = this.#resolve(this.prefix);
    }
    if (this.namespace !== STREAMS_NAMESPACE) return;
    if (localNameOf(window, tag) === 'stream') refuse('bad-format', 'a stream within the stream');
  }
}

function localNameOf(window: ByteWindow, { nameColon, nameStart, nameEnd }: StartTag): string {
  return textOf(window, nameColon === 0 ? nameStart : nameColon + 1, nameEnd);
}

function textOf(window: ByteWindow, start: number, end: number | undefined): string {
  return window.text(window.base + start, window.base + (end as number));
}

function declaredValue(window: ByteWindow, tag: StartTag, index: number): string {
  return attributeValue(textOf(window, tag.valueStarts[index] as number, tag.valueEnds[index]));
}
