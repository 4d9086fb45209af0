import {
  type Logger,
  normalizeDomain,
  type Stanza,
  type StanzaStream,
  StreamError,
  type StreamErrorCondition,
  type StreamHeader,
} from '@stanzaport/core';
import { admitPeer, judgeServerExternal } from '@stanzaport/tls-shared';
import xml, { type Element } from '@xmpp/xml';
import { bareOf, parseJid } from '../../jid.ts';
import { NS } from '../../namespaces.ts';
import type { AccountStore } from '../accounts.ts';
import { runStream } from '../run-stream.ts';
import type { Sender } from '../sender.ts';
import type { ServedStream } from '../served-stream.ts';

/** What an incoming stream needs of the server. */
export interface IncomingStreamParts {
  readonly accounts: AccountStore;
  readonly logger: Logger;
  /** Largest stanza that is taken, in bytes; told to the peer, so that it does not lose the stream (XEP-0478). */
  readonly maxStanzaBytes: number;
  /** Takes a message, presence or iq whose addresses fit the stream. */
  readonly onStanza: (sender: Sender, stanza: Stanza) => void;
  /** Sends an answer from a domain of this server to another one. */
  readonly answer: (local: string, remote: string, answer: Element) => void;
}

/** The two domains of a stream, in A-labels. */
interface Pair {
  readonly local: string;
  readonly remote: string;
}

type State =
  | { readonly phase: 'new' }
  | { readonly phase: 'authenticating'; readonly pair: Pair }
  | { readonly phase: 'authenticated'; readonly pair: Pair };

/** A stream of another server, from its header to its end (XEP-0178 §3). */
export class IncomingStream implements ServedStream {
  readonly #stream: StanzaStream;
  readonly #parts: IncomingStreamParts;
  #state: State = { phase: 'new' };

  constructor(stream: StanzaStream, parts: IncomingStreamParts) {
    this.#stream = stream;
    this.#parts = parts;
  }

  async run(): Promise<void> {
    await runStream(this.#stream, this.#parts.logger, (event) => {
      if (event.type === 'header') this.#onHeader(event.header);
      else if (event.type === 'stanza') this.#onElement(event.stanza);
    });
    await this.#stream.close();
  }

  end(condition: StreamErrorCondition): void {
    this.#stream.abort(new StreamError(condition));
  }

  #onHeader({ to = '', from = '' }: StreamHeader): void {
    const local = normalizeDomain(to);
    const remote = normalizeDomain(from);
    if (local === null || !this.#parts.accounts.serves(local)) {
      // The answer must not claim a host that is not ours (RFC 6120 §4.9.1.3).
      this.#stream.sendHeader({ from: '' });
      return this.end('host-unknown');
    }
    this.#stream.sendHeader();
    if (this.#state.phase === 'authenticated') {
      const limits = xml('max-bytes', {}, String(this.#parts.maxStanzaBytes));
      this.#stream.send(xml('stream:features', {}, xml('limits', { xmlns: NS.limits }, limits)));
      return;
    }
    const { security } = this.#stream.connection;
    const verdict = remote === null ? null : security.verify({ domain: remote, purpose: 's2s-client' });
    const admission = admitPeer('required', verdict);
    if (!admission.admitted || remote === null || this.#parts.accounts.serves(remote)) {
      const detail = admission.admitted ? 'It names a host of this server' : admission.error.text;
      this.#parts.logger.warn({ from, to, detail }, 'a server is refused');
      return admission.admitted ? this.end('not-authorized') : this.#stream.abort(admission.error);
    }
    this.#state = { phase: 'authenticating', pair: { local, remote } };
    const external = xml('mechanisms', { xmlns: NS.sasl }, xml('mechanism', {}, 'EXTERNAL'));
    this.#stream.send(xml('stream:features', {}, external));
  }

  #onElement(stanza: Stanza): void {
    const state = this.#state;
    switch (state.phase) {
      case 'new':
        return;
      case 'authenticating':
        return this.#authenticate(state.pair, stanza);
      case 'authenticated':
        return this.#receive(state.pair, stanza);
    }
  }

  #authenticate(pair: Pair, { name, namespace, attributes, element }: Stanza): void {
    if (namespace !== NS.sasl || name !== 'auth') return this.end('unsupported-stanza-type');
    if (attributes.mechanism !== 'EXTERNAL') return this.#fail('invalid-mechanism');
    const { security, id: connectionId } = this.#stream.connection;
    const verdict = judgeServerExternal(security, { from: pair.remote, response: element.text() });
    if (!verdict.granted) return this.#fail(verdict.condition);
    this.#parts.logger.info({ ...pair, connectionId, streamId: this.#stream.id }, 'a server is authenticated');
    this.#state = { phase: 'authenticated', pair };
    this.#stream.send(xml('success', { xmlns: NS.sasl }));
    this.#stream.markAuthenticated();
    this.#stream.restart();
  }

  /** There is one mechanism and one right answer, so nothing is to be tried again (RFC 6120 §6.4.5). */
  #fail(condition: string): void {
    this.#stream.send(xml('failure', { xmlns: NS.sasl }, xml(condition)));
    this.end('not-authorized');
  }

  #receive({ local, remote }: Pair, stanza: Stanza): void {
    const { name, namespace, prefix } = stanza;
    if (namespace !== 'jabber:server' || !['message', 'presence', 'iq'].includes(name)) {
      return this.end('unsupported-stanza-type');
    }
    // As for clients (RFC 6120 §4.8.5).
    if (prefix !== '') return this.end('bad-namespace-prefix');
    const from = parseJid(stanza.from ?? '');
    const to = parseJid(stanza.to ?? '');
    if (from === null || to === null) return this.end('improper-addressing');
    if (from.domain !== remote) return this.end('invalid-from');
    if (to.domain !== local) return this.end('host-unknown');
    const sender: Sender = {
      jid: stanza.from ?? '',
      bare: bareOf(from),
      deliver: (answer) => {
        this.#parts.answer(local, remote, answer);
        return true;
      },
    };
    this.#parts.onStanza(sender, stanza);
  }
}
