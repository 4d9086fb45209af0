import { StreamError, TransportError } from '@stanzaport/core';
import { describe, expect, test } from 'vitest';
import { HEADER, record, streamOverTcp } from './tools/stream-over-tcp.ts';

const header = (attributes: string): string =>
  `<?xml version='1.0'?><stream:stream ${attributes} xmlns:stream='http://etherx.jabber.org/streams'>`;

const streamError = (condition: string): RegExp =>
  new RegExp(
    `<stream:error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>.*</stream:error></stream:stream>$`,
  );

describe('the first header of a client', () => {
  const cases = [
    ['XML-02', "to='capulet.example' version='1.0' xmlns='jabber:server'", 'invalid-namespace'],
    ['XML-02', "to='capulet.example' version='1.0' xmlns='jabber:other'", 'invalid-namespace'],
    ['XML-02', "to='capulet.example' version='1.0'", 'invalid-namespace'],
    ['XML-04', "version='1.0' xmlns='jabber:client'", 'improper-addressing'],
    ['XML-04', "to='not a domain' version='1.0' xmlns='jabber:client'", 'improper-addressing'],
    ['XML-04', "to='verona.example' version='1.0' xmlns='jabber:client'", 'host-unknown'],
    ['XML-05', "to='capulet.example' xmlns='jabber:client'", 'unsupported-version'],
    ['XML-05', "to='capulet.example' version='0.9' xmlns='jabber:client'", 'unsupported-version'],
    ['XML-05', "to='capulet.example' version='x' xmlns='jabber:client'", 'unsupported-version'],
  ] as const;
  for (const [id, attributes, condition] of cases) {
    test(`[${id}] [XML-06] ${attributes}: a response header, then ${condition}`, async () => {
      await using pair = await streamOverTcp({ serves: (domain) => domain === 'capulet.example' });
      const { events, ended } = record(pair.stream);
      pair.peer.write(header(attributes));
      expect(await ended).toBe(condition);
      await pair.peer.ended();
      expect(pair.peer.text).toMatch(/^<\?xml version='1\.0'\?><stream:stream [^>]*xmlns='jabber:client'/);
      expect(pair.peer.text).toMatch(streamError(condition));
      expect(pair.peer.text).not.toContain('verona');
      expect(events).toEqual([]);
    });
  }

  test('[XML-05] version 1.10 is answered with 1.0, and every response header has another id', async () => {
    const ids = new Set<string>();
    for (let count = 0; count < 3; count++) {
      await using pair = await streamOverTcp();
      pair.stream.events$.subscribe({ next: () => pair.stream.sendHeader() });
      pair.peer.write(HEADER.replace("version='1.0' xmlns", "version='1.10' xmlns"));
      await pair.peer.until(/<stream:stream [^>]*>/);
      expect(pair.peer.text).toMatch(/ version='1\.0'/);
      expect(pair.peer.text).toMatch(/ from='capulet\.example'/);
      ids.add(/ id='([^']{22,})'/.exec(pair.peer.text)?.[1] ?? '');
    }
    expect(ids.size).toBe(3);
    expect(ids).not.toContain('');
  });

  test('[XML-04] addresses are compared after normalisation', async () => {
    await using pair = await streamOverTcp({ serves: (domain) => domain === 'xn--bcher-kva.example' });
    const { events } = record(pair.stream);
    pair.peer.write(header("to='BÜCHER.example.' version='1.0' xmlns='jabber:client'"));
    await expect.poll(() => events).toEqual(['header']);
  });
});

describe('restart', () => {
  test('[XML-07] success and the new header in one packet, cut at every byte, are two streams', async () => {
    const trigger = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AA==</auth>";
    const bytes = `${trigger}${HEADER}<iq type='get' id='1'/>`;
    for (let cut = 0; cut <= bytes.length; cut++) {
      await using pair = await streamOverTcp();
      const { stream, peer } = pair;
      const seen: string[] = [];
      const done = new Promise<void>((resolve) => {
        stream.events$.subscribe((event) => {
          seen.push(event.type === 'stanza' ? event.stanza.name : event.type);
          if (event.type === 'header') stream.sendHeader();
          if (event.type === 'stanza' && event.stanza.name === 'auth') {
            stream.send("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
            stream.markAuthenticated();
            stream.restart();
          }
          if (event.type === 'stanza' && event.stanza.name === 'iq') resolve();
        });
      });
      peer.socket.setNoDelay(true);
      peer.write(HEADER + bytes.slice(0, cut));
      peer.write(bytes.slice(cut));
      await done;
      expect(seen).toEqual(['header', 'auth', 'header', 'iq']);
      await peer.until(/<success [^>]*>.*<stream:stream [^>]*>/);
      const ids = [...peer.text.matchAll(/ id='([^']+)'/g)].map(([, id]) => id);
      expect(new Set(ids).size).toBe(2);
    }
  });

  test("[XML-04] 'to' must not change at a restart", async () => {
    await using pair = await streamOverTcp();
    const { stream, peer } = pair;
    const ended = new Promise((resolve) => {
      stream.events$.subscribe({
        next: (event) => {
          if (event.type === 'header') stream.sendHeader();
          else stream.restart();
        },
        error: resolve,
      });
    });
    peer.write(`${HEADER}<auth xmlns='urn:x'/>${HEADER.replace('capulet', 'verona')}`);
    expect(await ended).toMatchObject({ condition: 'improper-addressing', category: 'xml' });
  });

  test('[XML-07] a second header without a restart is a stream error', async () => {
    await using pair = await streamOverTcp();
    const { ended } = record(pair.stream);
    pair.peer.write(HEADER + HEADER.slice(HEADER.indexOf('<stream:')));
    expect(await ended).toBe('bad-format');
  });
});

describe('authentication', () => {
  test('[XML-20] a stanza before it is refused and not delivered; other elements are', async () => {
    await using pair = await streamOverTcp();
    const { events, ended } = record(pair.stream);
    pair.peer.write(`${HEADER}<auth xmlns='urn:x'/><message/>`);
    expect(await ended).toBe('not-authorized');
    expect(events).toEqual(['header', "<auth xmlns='urn:x'/>"]);
  });

  test('[XML-16] a stream that is not authenticated in time ends with connection-timeout', async () => {
    await using pair = await streamOverTcp({ limits: { authenticationTimeoutMs: 30 } });
    const { ended } = record(pair.stream);
    pair.peer.write(HEADER);
    expect(await ended).toBe('connection-timeout');
    await pair.peer.until(streamError('connection-timeout'));
  });

  test('[XML-16] a header that does not come in time ends the stream, also when nobody consumes it', async () => {
    await using pair = await streamOverTcp({ limits: { headerTimeoutMs: 30 } });
    pair.peer.write(HEADER.slice(0, 40));
    expect(await pair.stream.closed).toMatchObject({ clean: false, error: { condition: 'connection-timeout' } });
    await pair.peer.until(streamError('connection-timeout'));
  });

  test('[XML-15] the smaller limit holds before it, the larger one after', async () => {
    const limits = { maxUnauthenticatedStanzaBytes: 10_000, maxStanzaBytes: 20_000 };
    const large = `<a xmlns='urn:x'>${'x'.repeat(15_000)}</a>`;
    await using before = await streamOverTcp({ limits });
    const refused = record(before.stream);
    before.peer.write(HEADER + large);
    expect(await refused.ended).toBe('policy-violation');
    await before.peer.until(/<stanza-too-big xmlns='urn:xmpp:errors'\/>/);

    await using after = await streamOverTcp({ limits });
    after.stream.markAuthenticated();
    const taken = record(after.stream);
    after.peer.write(HEADER + large);
    await expect.poll(() => taken.events.at(-1)).toBe(large);
  });
});

describe('STARTTLS on a stream that is secured already', () => {
  test('[Q-05] is answered with failure, the closing tag and the end of the bytes', async () => {
    await using pair = await streamOverTcp();
    const { events, ended } = record(pair.stream);
    pair.peer.write(`${HEADER}<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`);
    expect(await ended).toBe('XMPP_TRANSPORT_VIOLATION');
    await pair.peer.ended();
    expect(pair.peer.text).toMatch(/<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'\/><\/stream:stream>$/);
    expect(events).toEqual(['header']);
  });

  test('[Q-06] offered in features, it is taken out of them, with one warning', async () => {
    const warnings: string[] = [];
    const logger = {
      trace: () => undefined,
      debug: () => undefined,
      info: () => undefined,
      warn: (...args: unknown[]) => warnings.push(String(args.at(-1))),
      error: () => undefined,
      child: () => logger,
      isLevelEnabled: () => true,
    };
    await using pair = await streamOverTcp({ role: 'initiating', logger });
    const { events } = record(pair.stream);
    pair.stream.sendHeader({ to: 'capulet.example' });
    pair.peer.write(
      HEADER.replace("to='capulet.example'", "id='a'") +
        "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>" +
        "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms></stream:features>",
    );
    await expect.poll(() => events.length).toBe(2);
    expect(events[1]).toContain('<mechanism>PLAIN</mechanism>');
    expect(events[1]).not.toContain('starttls');
    expect(warnings).toHaveLength(1);
  });
});

describe('limits a peer announces', () => {
  test('[XML-15] more than its max-bytes is refused to the caller, and nothing is sent', async () => {
    await using pair = await streamOverTcp({ role: 'initiating' });
    const { events } = record(pair.stream);
    pair.stream.sendHeader({ to: 'capulet.example' });
    pair.peer.write(
      HEADER.replace("to='capulet.example'", "id='a'") +
        "<stream:features><limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>10000</max-bytes></limits></stream:features>",
    );
    await expect.poll(() => events.length).toBe(2);
    const tooLarge = `<message><body>${'x'.repeat(10_000)}</body></message>`;
    expect(() => pair.stream.send(tooLarge)).toThrow(expect.objectContaining({ category: 'limit' }));
    pair.stream.send('<presence/>');
    await pair.peer.until(/<presence\/>/);
    expect(pair.peer.text).not.toContain('<message>');
  });
});

describe('the end', () => {
  test('[XML-08] after our closing tag the peer is heard to its own, and the end is clean', async () => {
    await using pair = await streamOverTcp();
    const { stream, peer } = pair;
    stream.markAuthenticated();
    const { events, ended } = record(stream);
    peer.write(HEADER);
    await expect.poll(() => events.length).toBe(1);
    stream.sendHeader();
    const closing = stream.close();
    await peer.ended();
    expect(peer.text).toMatch(/<\/stream:stream>$/);
    peer.write(Array.from({ length: 100 }, (_, n) => `<message id='${n}'/>`).join(''));
    peer.socket.end('</stream:stream>');
    expect(await ended).toBe('clean');
    expect(events).toHaveLength(101);
    await closing;
    expect(await stream.closed).toEqual({ clean: true, by: 'local', error: null });
  });

  test('[XML-08] a peer that does not answer our closing tag is left after the close timeout, not cleanly', async () => {
    await using pair = await streamOverTcp({ limits: { closeTimeoutMs: 30 } });
    const { events, ended } = record(pair.stream);
    pair.peer.write(HEADER);
    await expect.poll(() => events.length).toBe(1);
    pair.stream.sendHeader();
    await pair.stream.close();
    expect(await ended).toBe('XMPP_CLOSE_TIMEOUT');
  });

  test("[XML-08] the peer's closing tag is answered with ours", async () => {
    await using pair = await streamOverTcp();
    const { ended } = record(pair.stream);
    pair.peer.socket.end(`${HEADER}</stream:stream>`);
    expect(await ended).toBe('clean');
    await pair.peer.ended();
    expect(pair.peer.text).toMatch(/^<\?xml version='1\.0'\?><stream:stream [^>]*><\/stream:stream>$/);
    expect(await pair.stream.closed).toMatchObject({ clean: true, by: 'peer' });
  });

  test('[QT-12] [TC-13] an end of the bytes without a closing tag is not clean; whole stanzas are delivered', async () => {
    await using pair = await streamOverTcp();
    pair.stream.markAuthenticated();
    const { events, ended } = record(pair.stream);
    pair.peer.socket.end(`${HEADER}<message id='1'/><message id='2'><bo`);
    expect(await ended).toBe('XMPP_PEER_CLOSED');
    expect(events).toEqual(['header', "<message id='1'/>"]);
  });

  test('[XML-09] a received stream error is told, and answered with the closing tag alone', async () => {
    await using pair = await streamOverTcp();
    const { ended } = record(pair.stream);
    pair.peer.write(
      `${HEADER}<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>` +
        "<text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>twice &amp; again</text><why xmlns='urn:x'/></stream:error>",
    );
    expect(await ended).toBe('conflict');
    const { error } = await pair.stream.closed;
    expect(error).toBeInstanceOf(StreamError);
    expect(error).toMatchObject({
      category: 'peer-error',
      text: 'twice & again',
      applicationCondition: { name: 'why', namespace: 'urn:x' },
    });
    await pair.peer.ended();
    expect(pair.peer.text).not.toContain('error');
    expect(pair.peer.text).toMatch(/<\/stream:stream>$/);
  });

  test('[TC-06] abort tells the peer the condition, and pending drained() the error', async () => {
    await using pair = await streamOverTcp({ limits: { sendHighWaterMarkBytes: 10, maxSendQueueBytes: 1_000_000 } });
    const { ended, events } = record(pair.stream);
    pair.peer.write(HEADER);
    await expect.poll(() => events.length).toBe(1);
    pair.stream.sendHeader();
    expect(pair.stream.send('<presence/>')).toBe(false);
    const drained = pair.stream.drained().catch((error: unknown) => error);
    const error = new StreamError('conflict', { text: 'a < b' });
    pair.stream.abort(error);
    expect(await ended).toBe('conflict');
    expect(await drained).toBe(error);
    await pair.peer.ended();
    expect(pair.peer.text).toMatch(/<presence\/><stream:error><conflict [^>]*\/><text [^>]*>a &lt; b<\/text>/);
    expect(() => pair.stream.send('<presence/>')).toThrow(error);
  });
});

describe('consumers', () => {
  test('[TC-02] a second consumer is refused; when the first leaves, another goes on at the next event', async () => {
    await using pair = await streamOverTcp();
    const { stream, peer } = pair;
    stream.markAuthenticated();
    peer.write(`${HEADER}<message id='1'/><message id='2'/><message id='3'/>`);
    const ids: (string | undefined)[] = [];
    for await (const stanza of stream) {
      ids.push(stanza.id);
      const second = stream[Symbol.asyncIterator]();
      await expect(second.next()).rejects.toThrow(expect.objectContaining({ code: 'XMPP_INVALID_STATE' }));
      if (ids.length === 2) break;
    }
    peer.socket.end('</stream:stream>');
    await stream.consume((stanza) => ids.push(stanza.id));
    expect(ids).toEqual(['1', '2', '3']);
  });

  test('[TC-03] a slow consumer is called one at a time, and waits are honoured', async () => {
    await using pair = await streamOverTcp();
    pair.stream.markAuthenticated();
    pair.peer.socket.end(`${HEADER}${'<message/>'.repeat(50)}</stream:stream>`);
    let running = 0;
    let most = 0;
    await pair.stream.consume(
      async () => {
        running += 1;
        most = Math.max(most, running);
        await new Promise(setImmediate);
        running -= 1;
      },
      { concurrency: 4 },
    );
    expect(most).toBe(4);
  });

  test('[TC-11] a handler that throws, or rejects, ends its own stream with internal-server-error', async () => {
    const handlers: (() => unknown)[] = [
      () => {
        throw new Error('boom');
      },
      () => Promise.reject(new Error('boom')),
    ];
    for (const handler of handlers) {
      await using pair = await streamOverTcp();
      pair.stream.stanzas$.subscribe(() => handler() as undefined);
      pair.peer.write(`${HEADER}<a xmlns='urn:x'/>`);
      await pair.peer.until(streamError('internal-server-error'));
      expect(await pair.stream.closed).toMatchObject({ by: 'local', error: { category: 'internal' } });
    }
  });

  test('[TC-14] consuming can be aborted, and another consumer goes on', async () => {
    await using pair = await streamOverTcp();
    const controller = new AbortController();
    const consuming = pair.stream.consume(() => undefined, { signal: controller.signal });
    controller.abort();
    await expect(consuming).rejects.toThrow(expect.objectContaining({ category: 'aborted' }));
    const { events } = record(pair.stream);
    pair.peer.write(HEADER);
    await expect.poll(() => events).toEqual(['header']);
  });

  test('[TC-05] closing inside a pulling consumer does not wait for that consumer', async () => {
    await using pair = await streamOverTcp();
    pair.stream.markAuthenticated();
    pair.peer.write(`${HEADER}<message id='last'/>`);
    const closed = (async () => {
      for await (const stanza of pair.stream) {
        if (stanza.id !== 'last') continue;
        const closing = pair.stream.close();
        await pair.peer.ended();
        pair.peer.socket.end('<message id="late"/></stream:stream>');
        await closing;
      }
      return pair.stream.closed;
    })();
    expect(await closed).toMatchObject({ clean: true, by: 'local' });
  });
});

test('[TC-09] use in a state that does not allow it is a clear error', async () => {
  await using pair = await streamOverTcp();
  expect(() => pair.stream.send('<presence/>')).toThrow(TransportError);
  pair.stream.sendHeader();
  expect(() => pair.stream.sendHeader()).toThrow(expect.objectContaining({ code: 'XMPP_INVALID_STATE' }));
  await using initiating = await streamOverTcp({ role: 'initiating' });
  expect(() => initiating.stream.sendHeader()).toThrow(expect.objectContaining({ code: 'XMPP_BAD_OPTION' }));
});

test('[TC-09] a header that cannot be written changes nothing: a corrected one can be sent', async () => {
  await using pair = await streamOverTcp({ role: 'initiating' });
  const { stream, peer } = pair;
  const refused = expect.objectContaining({ code: 'XMPP_BAD_OPTION' });
  expect(() => stream.sendHeader({ to: 'capulet.example', from: 'a\0b' })).toThrow(refused);
  expect(() => stream.send('<presence/>')).toThrow(expect.objectContaining({ code: 'XMPP_INVALID_STATE' }));
  expect(() => stream.sendHeader()).toThrow(refused);
  stream.sendHeader({ to: 'capulet.example', from: 'juliet@capulet.example' });
  await peer.until(/^<\?xml version='1\.0'\?><stream:stream [^>]* from='juliet@capulet\.example'[^>]*>/);
});
