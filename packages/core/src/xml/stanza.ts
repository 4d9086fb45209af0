import type { Element } from '@xmpp/xml';
import { type Attributes, findAttribute, readAttributes, readTree } from './tree.ts';
import { STREAMS_NAMESPACE } from './values.ts';
import { attribute, escapeAttribute, writeElement } from './writer.ts';

/** What an element takes from the header of the stream it came on. */
export interface Inheritance {
  /** Content namespace of that stream: the default namespace of its header. */
  readonly contentNamespace: string;
  /** The element, or one within it, has its namespace from there. */
  readonly inheritsDefault: boolean;
  /** Declarations of prefixes it uses from there. */
  readonly bindings: readonly { readonly prefix: string; readonly namespace: string }[];
}

/** The parts of a {@link Stanza}; `source` is one well-formed element. */
export interface StanzaParts {
  readonly name: string;
  readonly prefix: string;
  readonly namespace: string;
  readonly source: string;
  readonly inheritance: Inheritance;
}

const CONTENT_NAMESPACES: readonly string[] = ['jabber:client', 'jabber:server'];
const STREAM_PREFIX: readonly { prefix: string; namespace: string }[] = [
  { prefix: 'stream', namespace: STREAMS_NAMESPACE },
];

/**
 * A first-level element of an XML stream: message, presence, iq, or anything else. Its name and source text are there
 * at once; its attributes are read and its tree is built on first use, then kept.
 */
export class Stanza {
  /** Local name. */
  readonly name: string;
  /** Prefix as written, '' without one. */
  readonly prefix: string;
  /** Namespace name, '' if none. */
  readonly namespace: string;
  /** The exact text as received; on its own it may lack declarations of the stream header, see {@link toString}. */
  readonly source: string;

  readonly #inheritance: Inheritance;
  #attributes: Attributes | null = null;
  #element: Element | null = null;

  /** @internal Stanzas come from a stream, or from {@link Stanza.of}. */
  constructor({ name, prefix, namespace, source, inheritance }: StanzaParts) {
    this.name = name;
    this.prefix = prefix;
    this.namespace = namespace;
    this.source = source;
    this.#inheritance = inheritance;
  }

  /**
   * A stanza with the content `element` has now. Without a namespace of its own it takes on that of the stream it is
   * sent on.
   * @throws TransportError `XMPP_BAD_OPTION` when the element cannot be written as XML.
   */
  static of(element: Element): Stanza {
    const source = writeElement(element);
    const colon = element.name.indexOf(':');
    const prefix = element.name.slice(0, Math.max(0, colon));
    const namespace = element.getNS() ?? (prefix === 'stream' ? STREAMS_NAMESPACE : '');
    return new Stanza({
      name: element.name.slice(colon + 1),
      prefix,
      namespace,
      source,
      inheritance: {
        contentNamespace: namespace,
        inheritsDefault: false,
        bindings: prefix === 'stream' && findAttribute(source, 'xmlns:stream') === null ? STREAM_PREFIX : [],
      },
    });
  }

  /** By their names as written (`xml:lang`, `xmlns`), unescaped; an object without a prototype. */
  get attributes(): Attributes {
    this.#attributes ??= readAttributes(this.source);
    return this.#attributes;
  }

  get to(): string | undefined {
    return this.#attribute('to');
  }

  get from(): string | undefined {
    return this.#attribute('from');
  }

  get type(): string | undefined {
    return this.#attribute('type');
  }

  get id(): string | undefined {
    return this.#attribute('id');
  }

  /** The tree; what it takes from the stream header is declared on its top element (RFC 6120 §8.4). */
  get element(): Element {
    this.#element ??= readTree(this.toString());
    return this.#element;
  }

  /** Text that stands alone: {@link source}, with what it takes from the stream header declared (RFC 6120 §8.4). */
  toString(): string {
    const { contentNamespace, inheritsDefault } = this.#inheritance;
    return this.#declare(inheritsDefault && contentNamespace !== '' ? contentNamespace : undefined);
  }

  /**
   * Text to send on a stream with this content namespace: {@link source} itself whenever that is right. An element of
   * its own stream's content namespace takes on the new one (RFC 6120 §4.8.3).
   */
  sourceIn(contentNamespace: string): string {
    const { contentNamespace: own, inheritsDefault } = this.#inheritance;
    if (own === contentNamespace) return this.#declare(undefined);
    const movesOver = CONTENT_NAMESPACES.includes(own);
    if (inheritsDefault) return this.#declare(movesOver ? undefined : own);
    return movesOver && this.namespace === own && this.prefix === ''
      ? this.#redeclare(contentNamespace)
      : this.#declare(undefined);
  }

  /** One attribute, without reading the others into an object first. */
  #attribute(name: string): string | undefined {
    return this.#attributes === null ? findAttribute(this.source, name)?.value : this.#attributes[name];
  }

  /** The source with what it inherits declared on it. */
  #declare(defaultNamespace: string | undefined): string {
    const { bindings } = this.#inheritance;
    if (defaultNamespace === undefined && bindings.length === 0) return this.source;
    const declarations = bindings.map(({ prefix, namespace }) => attribute(`xmlns:${prefix}`, namespace));
    const nameEnd = 1 + (this.prefix === '' ? 0 : this.prefix.length + 1) + this.name.length;
    const head = this.source.slice(0, nameEnd) + attribute('xmlns', defaultNamespace);
    return head + declarations.join('') + this.source.slice(nameEnd);
  }

  /** As {@link #declare}, where the source itself declares the default namespace: another one in its place. */
  #redeclare(defaultNamespace: string): string {
    const source = this.#declare(undefined);
    const found = findAttribute(source, 'xmlns');
    if (found === null) return source;
    return source.slice(0, found.valueStart) + escapeAttribute(defaultNamespace) + source.slice(found.valueEnd);
  }
}
