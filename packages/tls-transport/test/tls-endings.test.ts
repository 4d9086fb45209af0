import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { type Limits, type StanzaStream, StreamError } from '@stanzaport/core';
import { firstValueFrom } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { headerOf, startTls } from './tools/clear-text.ts';
import { listenersOf } from './tools/listening.ts';
import { connectRaw, readToEnd, readUntil, secureRaw } from './tools/raw-tls.ts';
import { serve } from './tools/scripted-server.ts';
import { collectTexts, takeStream } from './tools/stream-texts.ts';
import { DOMAIN } from './tools/transports.ts';

/** TLS ContentType (RFC 5246 §6.2.1); TLS 1.3 hides it. */
const ALERT = 21;

const LONG_ANSWER = Array.from({ length: 16 }, (_, id) => `<message id='${id}'>${'x'.repeat(65_536)}</message>`);

describe.each(['direct-tls', 'starttls'] as const)('how TLS of %s ends', (upgrade) => {
  const listen = listenersOf(upgrade);

  /** A TLS 1.2 client whose server speaks through an eavesdropper, with a stream at which one stanza has arrived. */
  async function opened(limits: Partial<Limits> = {}) {
    const listener = await listen(['c2s'], { limits });
    const accepted = firstValueFrom(listener.connections$);
    const overheard: Buffer[] = [];
    const proxy = await serve(async (tcp: Socket) => {
      const onwards = await connectRaw(listener.address.port);
      onwards.on('data', (chunk: Buffer) => overheard.push(chunk));
      tcp.pipe(onwards).pipe(tcp);
    });
    const tcp = await connectRaw(proxy.port);
    if (upgrade === 'starttls') await startTls(tcp);
    const tls: TLSSocket = await secureRaw(tcp, { servername: DOMAIN, maxVersion: 'TLSv1.2' });
    tls.write(`${headerOf()}<one/>`);
    const stream: StanzaStream = await takeStream(await accepted);
    return {
      tcp,
      tls,
      stream,
      records: () => recordTypes(Buffer.concat(overheard)),
      async [Symbol.asyncDispose]() {
        tcp.destroy();
        await proxy[Symbol.asyncDispose]();
      },
    };
  }

  test('[TC-05] [TLS-03] TLS 1.2: the closing tag stands for our end until the peer has said all; close_notify is last', async () => {
    await using peer = await opened();
    const { stanzas, ended } = collectTexts(peer.stream);
    const closing = peer.stream.close();
    await readUntil(peer.tls, /<\/stream:stream>$/);
    for (const text of LONG_ANSWER) peer.tls.write(text);
    await new Promise<void>((resolve) => peer.tls.write('<last/>', () => resolve()));
    expect(peer.records()).not.toContain(ALERT);
    peer.tls.write('</stream:stream>');
    expect(await readToEnd(peer.tls)).toBe('');
    expect(peer.records().at(-1)).toBe(ALERT);
    peer.tls.end();
    await closing;
    expect(await ended).toBe('clean');
    expect(stanzas).toEqual(['<one/>', ...LONG_ANSWER, '<last/>']);
  });

  test('[TC-05] TLS 1.2: a peer that closed first is answered, and both ends come in order', async () => {
    await using peer = await opened();
    const { stanzas, ended } = collectTexts(peer.stream);
    peer.tls.write('<two/></stream:stream>');
    expect(await readToEnd(peer.tls)).toMatch(/<\/stream:stream>$/);
    expect(peer.records().at(-1)).toBe(ALERT);
    peer.tls.end();
    expect(await ended).toBe('clean');
    expect(stanzas).toEqual(['<one/>', '<two/>']);
  });

  test('[TC-06] TLS 1.2: after a stream error nothing is waited for', async () => {
    await using peer = await opened({ closeTimeoutMs: 600_000 });
    peer.stream.abort(new StreamError('conflict'));
    expect(await readToEnd(peer.tls)).toMatch(/<conflict .*<\/stream:stream>$/);
    expect(peer.records().at(-1)).toBe(ALERT);
  });

  test('[TC-05] TLS 1.2: a peer that never closes is given up with an orderly end', async () => {
    await using peer = await opened({ closeTimeoutMs: 200 });
    await peer.stream.close();
    expect(await peer.stream.closed).toMatchObject({ clean: false, error: { category: 'timeout' } });
    expect(await readToEnd(peer.tls)).toMatch(/<\/stream:stream>$/);
    expect(peer.records().at(-1)).toBe(ALERT);
  });

  test('[TLS-03] a closing tag and then the end of TCP without close_notify is a clean end', async () => {
    await using peer = await opened();
    const { ended } = collectTexts(peer.stream);
    peer.tls.write('</stream:stream>', () => peer.tcp.end());
    expect(await ended).toBe('clean');
  });
});

/** The content types of TLS records, from the first behind any clear text. */
function recordTypes(bytes: Buffer): readonly number[] {
  const types: number[] = [];
  const clearEnd = bytes.indexOf('<proceed');
  let at = clearEnd === -1 ? 0 : bytes.indexOf('/>', clearEnd) + 2;
  while (at + 5 <= bytes.length) {
    types.push(bytes[at] ?? 0);
    at += 5 + bytes.readUInt16BE(at + 3);
  }
  return types;
}
