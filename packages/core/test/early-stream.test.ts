import { once } from 'node:events';
import { Duplex } from 'node:stream';
import {
  createStanzaStream,
  endWithError,
  type Role,
  resolveLimits,
  type StanzaStream,
  StreamError,
  silentLogger,
  TransportError,
} from '@stanzaport/core';
import { describe, expect, test } from 'vitest';
import { connectionOf, HEADER } from './tools/stream-over-tcp.ts';

/** A stream of a connection whose handshake is not complete yet, its bytes, and the end of the handshake. */
interface EarlyStream {
  readonly stream: StanzaStream;
  readonly bytes: Duplex;
  /** What the stream has written, chunk by chunk; `FIN` at its end. */
  readonly written: string[];
  complete(completed: boolean): Promise<void>;
}

function earlyStream(role: Role): EarlyStream {
  const written: string[] = [];
  const bytes = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      written.push(chunk.toString());
      done();
    },
    final(done) {
      written.push('FIN');
      done();
    },
  });
  let settle: (completed: boolean) => void = () => undefined;
  const handshakeCompleted = new Promise<boolean>((resolve) => {
    settle = resolve;
  });
  const stream = createStanzaStream(bytes, {
    id: '0',
    connection: connectionOf('c2s'),
    role,
    limits: resolveLimits({ closeTimeoutMs: 200 }),
    logger: silentLogger,
    handshakeCompleted,
  });
  const complete = async (completed: boolean): Promise<void> => {
    settle(completed);
    await turn();
  };
  return { stream, bytes, written, complete };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** What happens on the stream from now on, in words. */
function watch(stream: StanzaStream): string[] {
  const events: string[] = [];
  stream.events$.subscribe({
    next: (event) => events.push(event.type === 'stanza' ? event.stanza.name : event.type),
    error: ({ code }: TransportError) => events.push(code),
    complete: () => events.push('complete'),
  });
  return events;
}

describe('A stream before the handshake is complete', () => {
  test('[QT-16] the receiving entity is told the header, and nothing behind it', async () => {
    const { stream, bytes, complete } = earlyStream('receiving');
    const events = watch(stream);
    bytes.push(`${HEADER}<auth/>`);
    bytes.push('<abort/>');
    await turn();
    expect(events).toEqual(['header']);
    expect(stream.early).toBe(true);
    bytes.push('<response/>');
    await complete(true);
    expect(events).toEqual(['header', 'auth', 'abort', 'response']);
    expect(stream.early).toBe(true);
  });

  test('[QT-16] however it is consumed: pulled, or closed meanwhile', async () => {
    const { stream, bytes, complete } = earlyStream('receiving');
    bytes.push(`${HEADER}<auth/></stream:stream>`);
    const pulled: string[] = [];
    const done = (async () => {
      for await (const event of stream.events()) pulled.push(event.type);
    })();
    await turn();
    expect(pulled).toEqual(['header']);
    void stream.close();
    await turn();
    expect(pulled).toEqual(['header']);
    bytes.push(null);
    await complete(true);
    await done;
    expect(pulled).toEqual(['header', 'stanza', 'close']);
  });

  test('[QT-16] its answer leaves at once', async () => {
    const { stream, bytes, written } = earlyStream('receiving');
    const events = watch(stream);
    bytes.push(HEADER);
    await turn();
    expect(events).toEqual(['header']);
    stream.sendHeader();
    stream.send('<features/>');
    await turn();
    expect(written.join('')).toMatch(/^<\?xml.*<features\/>$/);
  });

  test('[QT-16] a header that comes after the end of the handshake is not early', async () => {
    const { stream, bytes, complete } = earlyStream('receiving');
    const events = watch(stream);
    await complete(true);
    bytes.push(`${HEADER}<auth/>`);
    await turn();
    expect([events, stream.early]).toEqual([['header', 'auth'], false]);
  });

  test('[QT-16] a handshake that fails: what was held is never told, the end is', async () => {
    const { stream, bytes, complete } = earlyStream('receiving');
    const events = watch(stream);
    bytes.push(`${HEADER}<auth/>`);
    await turn();
    const error = new TransportError('XMPP_HANDSHAKE_TIMEOUT', 'a replay');
    const completed = complete(false);
    endWithError(bytes, error);
    await completed;
    await stream.closed;
    await turn();
    expect(events).toEqual(['header', 'XMPP_HANDSHAKE_TIMEOUT']);
  });

  test('[QT-17] the initiating entity sends its header, and nothing behind it', async () => {
    const { stream, written, complete } = earlyStream('initiating');
    stream.sendHeader({ to: 'capulet.example' });
    stream.send('<auth/>');
    expect(stream.queuedBytes).toBe('<auth/>'.length);
    await turn();
    expect(written).toHaveLength(1);
    expect(written[0]).toMatch(/<stream:stream [^<]*>$/);
    stream.send('<response/>');
    await complete(true);
    expect(written.slice(1)).toEqual(['<auth/><response/>']);
    expect(stream.queuedBytes).toBe(0);
    expect(stream.early).toBe(false);
  });

  test('[QT-17] drained() waits for the end of the handshake when much is queued', async () => {
    const { stream, complete } = earlyStream('initiating');
    stream.sendHeader({ to: 'capulet.example' });
    expect(stream.send(`<message>${'x'.repeat(300_000)}</message>`)).toBe(false);
    let drained = false;
    const waiting = stream.drained().then(() => {
      drained = true;
    });
    await turn();
    expect(drained).toBe(false);
    await complete(true);
    await waiting;
  });

  test('[QT-17] closing and aborting early: the last words and the end wait as well', async () => {
    for (const [end, words] of [
      [(stream: StanzaStream) => void stream.close(), '</stream:stream>'],
      [(stream: StanzaStream) => stream.abort(new StreamError('policy-violation')), 'policy-violation'],
    ] as const) {
      const { stream, bytes, written, complete } = earlyStream('initiating');
      watch(stream);
      stream.sendHeader({ to: 'capulet.example' });
      end(stream);
      await turn();
      expect(written).toHaveLength(1);
      await complete(true);
      expect(written).toHaveLength(3);
      expect(written[1]).toContain(words);
      expect(written[2]).toBe('FIN');
      const gone = once(bytes, 'close');
      bytes.push(null);
      await gone;
    }
  });
});
