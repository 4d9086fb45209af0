import type { StreamHeader } from '../../src/stream-header.ts';
import { type XmlReaderLimits, XmlStreamReader } from '../../src/xml/reader.ts';
import type { Stanza } from '../../src/xml/stanza.ts';

export const LIMITS: XmlReaderLimits = {
  maxStanzaBytes: 262_144,
  maxHeaderBytes: 8_192,
  maxDepth: 128,
  maxAttributes: 100,
};

export const STREAMS = 'http://etherx.jabber.org/streams';
export const HEADER = `<stream:stream xmlns='jabber:client' xmlns:stream='${STREAMS}' to='a.example' version='1.0'>`;
export const END = '</stream:stream>';

/** What a reader reports, as data that can be compared. */
export type Recorded =
  | { readonly type: 'header'; readonly header: StreamHeader }
  | {
      readonly type: 'stanza';
      readonly name: string;
      readonly prefix: string;
      readonly namespace: string;
      readonly attributes: Readonly<Record<string, string>>;
      readonly source: string;
      readonly standalone: string;
    }
  | { readonly type: 'end' }
  | { readonly type: 'error'; readonly condition: string; readonly applicationCondition: string | null };

export interface Recording {
  readonly events: Recorded[];
  readonly stanzas: Stanza[];
  readonly reader: XmlStreamReader;
  /** Set it to act inside `onStanza`. */
  onStanza: (stanza: Stanza) => void;
}

export function record(limits: Partial<XmlReaderLimits> = {}): Recording {
  const events: Recorded[] = [];
  const stanzas: Stanza[] = [];
  const reader = new XmlStreamReader(
    {
      onHeader: (header) => events.push({ type: 'header', header }),
      onStanza: (stanza) => {
        const { name, prefix, namespace, attributes, source } = stanza;
        stanzas.push(stanza);
        events.push({
          type: 'stanza',
          name,
          prefix,
          namespace,
          attributes: { ...attributes },
          source,
          standalone: stanza.toString(),
        });
        recording.onStanza(stanza);
      },
      onEnd: () => events.push({ type: 'end' }),
      onError: ({ condition, applicationCondition: app }) =>
        events.push({
          type: 'error',
          condition,
          applicationCondition: app === null ? null : `{${app.namespace}}${app.name}`,
        }),
    },
    { ...LIMITS, ...limits },
  );
  const recording: Recording = { events, stanzas, reader, onStanza: () => undefined };
  return recording;
}

/** Reads `chunks` and gives what was reported. */
export function read(chunks: readonly (string | Uint8Array)[], limits: Partial<XmlReaderLimits> = {}): Recorded[] {
  const { events, reader } = record(limits);
  for (const chunk of chunks) reader.feed(typeof chunk === 'string' ? Buffer.from(chunk) : chunk);
  return events;
}

/** The events in short: `header`, a stanza's source, `end`, or the condition. */
export function brief(events: readonly Recorded[]): string[] {
  return events.map((event) => {
    if (event.type === 'stanza') return event.source;
    return event.type === 'error' ? event.condition : event.type;
  });
}

/** Single bytes, each a chunk. */
export function singleBytes(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (byte) => Uint8Array.of(byte));
}

/** A small seeded generator (mulberry32): the same seed, the same test. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from 0 to below `bound`. */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  }

  chance(oneIn: number): boolean {
    return this.below(oneIn) === 0;
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }
}
