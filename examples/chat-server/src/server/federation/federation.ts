import { type Logger, Stanza, type StreamPool } from '@stanzaport/core';
import type { Element } from '@xmpp/xml';
import { type Jid, parseJid } from '../../jid.ts';
import type { Outside } from '../outside.ts';
import type { Sender } from '../sender.ts';
import { refuse, stamped } from '../stanza-reply.ts';
import type { Outgoing } from './outbox.ts';
import { OutgoingStream } from './outgoing-stream.ts';
import type { Remote } from './remote.ts';

/** What federation is made from. */
export interface FederationOptions {
  /** Where the servers of other domains are, by domain in A-labels; whoever is not here is not found. */
  readonly remotes: ReadonlyMap<string, Remote>;
  /** Makes the pool of a transport; asked once for each name. */
  readonly poolOf: (transport: string) => StreamPool;
  /** @defaultValue 20,000 */
  readonly negotiationTimeoutMs?: number;
  readonly logger: Logger;
}

/** The streams to other servers: one for each pair of domains, opened when there is something to send. */
export class Federation implements Outside {
  readonly #options: FederationOptions;
  readonly #pools = new Map<string, StreamPool>();
  /** No more than hosts of ours times remotes of the config. */
  readonly #streams = new Map<string, { readonly stream: OutgoingStream; readonly ended: Promise<void> }>();
  #isStopped = false;

  constructor(options: FederationOptions) {
    this.#options = options;
  }

  send(sender: Sender, stanza: Stanza, to: Jid): void {
    const local = parseJid(sender.jid)?.domain ?? '';
    this.#put(local, to.domain, {
      text: stamped(stanza, sender.jid, 'jabber:server'),
      bounce: (condition) => refuse(sender, stanza, condition),
    });
  }

  /** Sends what this server itself says to a user of `remote`; it is dropped where it cannot be (RFC 6120 §8.3.1). */
  answer(local: string, remote: string, answer: Element): void {
    const text = Stanza.of(answer).sourceIn('jabber:server');
    this.#put(local, remote, { text, bounce: () => undefined });
  }

  /** Ends every outgoing stream with `system-shutdown`; resolves when all connections are closed. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    const streams = [...this.#streams.values()];
    for (const { stream } of streams) stream.stop();
    await Promise.all(streams.map(({ ended }) => ended));
    await Promise.all([...this.#pools.values()].map((pool) => pool.close()));
  }

  #put(local: string, remote: string, outgoing: Outgoing): void {
    const where = this.#options.remotes.get(remote);
    if (where === undefined) return outgoing.bounce('remote-server-not-found');
    if (this.#isStopped) return outgoing.bounce('remote-server-timeout');
    const key = `${local} ${remote}`;
    if (this.#streams.get(key)?.stream.send(outgoing)) return;
    const { negotiationTimeoutMs = 20_000, logger } = this.#options;
    const { transport, ...address } = where;
    const stream = new OutgoingStream({
      local,
      remote,
      open: (signal) =>
        this.#pool(transport).openStream({ kind: 's2s', domain: remote, localDomain: local, ...address }, { signal }),
      negotiationTimeoutMs,
      logger,
    });
    stream.send(outgoing);
    const ended = stream.run().then(() => {
      if (this.#streams.get(key)?.stream === stream) this.#streams.delete(key);
    });
    this.#streams.set(key, { stream, ended });
  }

  #pool(transport: string): StreamPool {
    const known = this.#pools.get(transport);
    if (known !== undefined) return known;
    const pool = this.#options.poolOf(transport);
    this.#pools.set(transport, pool);
    return pool;
  }
}
