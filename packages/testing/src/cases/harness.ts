import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import {
  type Connection,
  type ConnectionKind,
  type Limits,
  type Listener,
  type ListenOptions,
  type StanzaStream,
  type StreamEvent,
  silentLogger,
} from '@stanzaport/core';
import type { ConformanceSetup, RawPeer, TransportCapabilities, TransportPair } from '../conformance-setup.ts';
import { type Collector, collect } from './collector.ts';

/** Both ends of one connection. */
export interface ConnectionPair {
  readonly client: Connection;
  readonly server: Connection;
  /** Streams that the client opened, as the server gets them. */
  readonly streams: Collector<StanzaStream>;
}

/** Both ends of one stanza stream. */
export interface StreamPair {
  readonly initiating: StanzaStream;
  readonly receiving: StanzaStream;
}

/** What a case may choose about a listener. */
export type ListenerChoice = Partial<Pick<ListenOptions, 'port' | 'kinds'>>;

/**
 * A pair of transports with all that a test has made of them. Everything is given back when the scene is disposed,
 * also after a failure. Nothing here waits without a bound: {@link Scene.wait} says what was waited for in vain.
 */
export class Scene implements AsyncDisposable {
  readonly pair: TransportPair;
  readonly capabilities: TransportCapabilities;
  readonly signal: AbortSignal;
  /** The listeners, and what they accepted once somebody has subscribed. */
  readonly #listeners = new Map<Listener, Collector<Connection> | null>();
  readonly #connections = new Set<Connection>();
  readonly #rawPeers: RawPeer[] = [];

  /** Use {@link Scene.create}. */
  constructor(pair: TransportPair, capabilities: TransportCapabilities, signal: AbortSignal) {
    this.pair = pair;
    this.capabilities = capabilities;
    this.signal = signal;
  }

  static async create(setup: ConformanceSetup, limits: Partial<Limits>, signal: AbortSignal): Promise<Scene> {
    // Many wait at a time, and all of them on this signal.
    setMaxListeners(0, signal);
    const pair = await setup.create({ limits, logger: silentLogger });
    return new Scene(pair, setup.capabilities, signal);
  }

  /** Awaits `promise`, but no longer than the case may take. */
  wait<T>(what: string, promise: Promise<T>): Promise<T> {
    const { signal } = this;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => reject(new assert.AssertionError({ message: `waited in vain for ${what}` }));
      if (signal.aborted) onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
    });
  }

  /** Starts a listener on `port`, by default a free one, and collects what it accepts. */
  async listen(options: ListenerChoice = {}): Promise<Listener> {
    const listener = await this.listenOnly(options);
    this.#connectionsOf(listener);
    return listener;
  }

  /** Starts a listener without subscribing to it. */
  async listenOnly({ port = 0, kinds = ['c2s'] }: ListenerChoice = {}): Promise<Listener> {
    const listening = this.pair.server.listen({ ...this.pair.listenOptions, port, kinds });
    const listener = await this.wait('listen()', listening);
    this.#listeners.set(listener, null);
    return listener;
  }

  /** The listener started last; there is one from now on. */
  async listener(): Promise<Listener> {
    return [...this.#listeners.keys()].at(-1) ?? this.listen();
  }

  /** Connects the client to `listener`, by default the one started last, and does not look at the server's end. */
  async connectOnly(given?: Listener, kind: ConnectionKind = 'c2s'): Promise<Connection> {
    const listener = given ?? (await this.listener());
    const { client, domain } = this.pair;
    const target = this.pair.target(listener.address, domain, kind);
    const connection = await this.wait('connect()', client.connect(target));
    this.#connections.add(connection);
    return connection;
  }

  /** Connects and takes the server's end too. Not to be called twice at a time. */
  async connect(given?: Listener, kind: ConnectionKind = 'c2s'): Promise<ConnectionPair> {
    const listener = given ?? (await this.listener());
    this.#connectionsOf(listener);
    const client = await this.connectOnly(listener, kind);
    const server = await this.takeConnection(listener);
    return { client, server, streams: collect(server.streams$) };
  }

  /** The next connection that `listener` announces. */
  async takeConnection(listener: Listener): Promise<Connection> {
    const announced = this.#connectionsOf(listener).next();
    const connection = await this.wait('the listener to announce a connection', announced);
    this.#connections.add(connection);
    return connection;
  }

  /** Opens a stream and has the header sent, and takes it at the other end, where nothing is read yet. */
  async openUnread({ client, streams }: ConnectionPair, to: string = this.pair.domain): Promise<StreamPair> {
    const initiating = await this.wait('openStream()', client.openStream());
    initiating.sendHeader({ to, ...(client.kind === 's2s' ? { from: 'montague.example' } : {}) });
    const receiving = await this.wait('the stream at the other end', streams.next());
    return { initiating, receiving };
  }

  /** Opens a stream on which both headers were exchanged and the initiating entity is authenticated. */
  async openStream(connections: ConnectionPair): Promise<StreamPair> {
    const streams = await this.openUnread(connections);
    await this.greet(streams);
    return streams;
  }

  /** Exchanges the headers and marks the initiating entity as authenticated. */
  async greet({ initiating, receiving }: StreamPair): Promise<void> {
    assert.equal((await this.nextEvent(receiving)).type, 'header');
    receiving.sendHeader();
    receiving.markAuthenticated();
    assert.equal((await this.nextEvent(initiating)).type, 'header');
  }

  /** Connects and opens one stream. */
  async openFirst(): Promise<StreamPair & { readonly connections: ConnectionPair }> {
    const connections = await this.connect();
    return { connections, ...(await this.openStream(connections)) };
  }

  /** Another stream, on the same connection where the transport can, else on another one. */
  async openNeighbour(connections: ConnectionPair): Promise<StreamPair> {
    const own = this.capabilities.streamsPerConnection > 1;
    return this.openStream(own ? connections : await this.connect());
  }

  /** Connects a peer that sends bytes of its own; `capabilities.rawPeer` has promised one. */
  async openRaw(): Promise<RawPeer> {
    const { address } = await this.listener();
    assert.ok(this.pair.openRaw !== undefined, 'capabilities.rawPeer promises openRaw()');
    const peer = await this.wait('openRaw()', this.pair.openRaw(address, 'c2s'));
    // What becomes of the raw peer's own bytes is seen by who reads them.
    peer.bytes.on('error', () => undefined);
    this.#rawPeers.push(peer);
    return peer;
  }

  /** The server's end of the raw peer that came last; there is one once the peer has written. */
  async takeRaw(): Promise<StanzaStream> {
    const server = await this.takeConnection(await this.listener());
    return this.wait('the stream of the raw peer', collect(server.streams$).next());
  }

  /** Takes the next event and leaves the stream to the next consumer. */
  async nextEvent(stream: StanzaStream): Promise<StreamEvent> {
    const events = stream.events()[Symbol.asyncIterator]();
    const { value, done } = await this.wait(`the next event of stream ${stream.id}`, events.next());
    await events.return?.();
    assert.ok(!done, `stream ${stream.id} ended instead of giving an event`);
    return value;
  }

  /** Takes the next first-level element's source and leaves the stream to the next consumer. */
  async nextStanza(stream: StanzaStream): Promise<string> {
    const event = await this.nextEvent(stream);
    assert.ok(event.type === 'stanza', `an event of type ${event.type} came instead of a stanza`);
    return event.stanza.source;
  }

  /** Sends a stanza there and back; whatever was on its way before has had its turn then. */
  async roundTrip({ initiating, receiving }: StreamPair): Promise<void> {
    initiating.send('<ping/>');
    assert.equal(await this.nextStanza(receiving), '<ping/>');
    receiving.send('<pong/>');
    assert.equal(await this.nextStanza(initiating), '<pong/>');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#connections) connection.abort();
    await Promise.all(this.#rawPeers.map((peer) => peer.close()));
    await Promise.all([...this.#listeners.keys()].map((listener) => listener.close({ drainMs: 1 })));
    await this.pair.dispose();
  }

  #connectionsOf(listener: Listener): Collector<Connection> {
    const known = this.#listeners.get(listener);
    if (known) return known;
    const connections = collect(listener.connections$);
    this.#listeners.set(listener, connections);
    return connections;
  }
}
