import { randomUUID } from 'node:crypto';
import type { CloseReason, Connection, Stanza, StanzaStream, StreamEvent } from '@stanzaport/core';
import xml, { type Element } from '@xmpp/xml';
import { NS } from '../namespaces.ts';
import { StanzaError } from './client-error.ts';
import { conditionOf, type LoginOptions, login } from './login.ts';
import { Mailbox } from './mailbox.ts';

/** One account, logged in on one stream of a connection; a connection of QUIC may carry several. */
export class ChatClient implements AsyncDisposable {
  /** The full JID. */
  readonly jid: string;
  readonly #stream: StanzaStream;
  readonly #mailbox = new Mailbox<Stanza>();

  private constructor(stream: StanzaStream, jid: string, events: AsyncIterator<StreamEvent, undefined>) {
    this.#stream = stream;
    this.jid = jid;
    void this.#receive(events);
  }

  /**
   * Opens a stream on `connection` and logs in.
   * @throws LoginError; TransportError when the stream cannot be opened or ends.
   */
  static async login(connection: Connection, options: LoginOptions): Promise<ChatClient> {
    const stream = await connection.openStream();
    const events = stream.events()[Symbol.asyncIterator]();
    try {
      return new ChatClient(stream, await login(stream, events, options), events);
    } catch (thrown) {
      await events.return?.();
      await stream.close();
      throw thrown;
    }
  }

  /** Settles when the stream has ended. */
  get closed(): Promise<CloseReason> {
    return this.#stream.closed;
  }

  send(stanza: Element | string): void {
    this.#stream.send(stanza);
  }

  sendMessage(to: string, body: string, type: 'chat' | 'normal' | 'headline' = 'chat'): void {
    this.send(xml('message', { to, type, id: randomUUID() }, xml('body', {}, body)));
  }

  /** Available presence; with `to`, directed (RFC 6121 §4). */
  sendPresence(attributes: { readonly to?: string; readonly type?: string } = {}, ...children: Element[]): void {
    this.send(xml('presence', attributes, ...children));
  }

  /**
   * Sends a request and waits for its answer.
   * @throws StanzaError when the answer is an error.
   */
  async request(type: 'get' | 'set', payload: Element, to?: string, signal?: AbortSignal): Promise<Stanza> {
    const id = randomUUID();
    this.send(xml('iq', { type, id, to }, payload));
    const answers = (stanza: Stanza): boolean => stanza.name === 'iq' && stanza.id === id && isAnswer(stanza);
    const answer = await this.next(answers, signal);
    if (answer.type === 'error') throw new StanzaError(conditionOf(answer) ?? 'undefined-condition');
    return answer;
  }

  /** XEP-0199, to the server where no `to` is given. */
  async ping(to?: string, signal?: AbortSignal): Promise<void> {
    await this.request('get', xml('ping', { xmlns: NS.ping }), to, signal);
  }

  /** The next stanza that `wants` takes, or took while nobody asked. Rejects when the stream ends first. */
  next(wants: (stanza: Stanza) => boolean, signal?: AbortSignal): Promise<Stanza> {
    return this.#mailbox.take(wants, signal);
  }

  /** The next message. */
  nextMessage(signal?: AbortSignal): Promise<Stanza> {
    return this.next(({ name }) => name === 'message', signal);
  }

  /** Closes the stream, not its connection. */
  async close(): Promise<CloseReason> {
    await this.#stream.close();
    return this.#stream.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #receive(events: AsyncIterator<StreamEvent, undefined>): Promise<void> {
    try {
      for (;;) {
        const { value, done } = await events.next();
        if (done) break;
        if (value.type === 'stanza') this.#take(value.stanza);
      }
      this.#mailbox.end(new Error('the stream has been closed'));
    } catch (thrown) {
      this.#mailbox.end(thrown);
    }
  }

  #take(stanza: Stanza): void {
    if (stanza.name === 'iq' && !isAnswer(stanza)) this.#answer(stanza);
    else this.#mailbox.put(stanza);
  }

  /** Every request gets an answer (RFC 6120 §8.2.3). */
  #answer(request: Stanza): void {
    const { id, from: to } = request;
    if (request.type === 'get' && request.element.getChild('ping', NS.ping) !== undefined) {
      this.send(xml('iq', { type: 'result', id, to }));
      return;
    }
    const error = xml('error', { type: 'cancel' }, xml('service-unavailable', { xmlns: NS.stanzas }));
    this.send(xml('iq', { type: 'error', id, to }, error));
  }
}

function isAnswer({ type }: Stanza): boolean {
  return type === 'result' || type === 'error';
}
