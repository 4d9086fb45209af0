import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ConnectionKind } from '@stanzaport/core';
import { type TestCredential, writePemFiles } from '@stanzaport/testing';
import { ChatClient } from '../../../src/client/chat-client.ts';
import { clientHub } from '../../../src/client-program.ts';
import { clientTransports, type TransportName } from '../../../src/transports.ts';
import { Program } from './program.ts';
import { PASSWORD, type Stage } from './stage.ts';

const MAIN = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));

/** In the order in which the server tells where it listens: transports as they are bound, listeners as in the file. */
const LISTENERS: readonly { readonly transport: TransportName; readonly kinds: readonly ConnectionKind[] }[] = [
  { transport: 'quic', kinds: ['c2s'] },
  { transport: 'direct-tls', kinds: ['c2s'] },
  { transport: 'direct-tls', kinds: ['s2s'] },
  { transport: 'starttls', kinds: ['c2s'] },
  { transport: 'starttls', kinds: ['s2s'] },
];

/** What the server of this example is told. */
export interface ExampleServerOptions {
  /** Bare JIDs; all of them have {@link PASSWORD}. */
  readonly accounts: readonly string[];
  /** For every domain of `accounts`. */
  readonly credential: TestCredential;
  /** Where other domains are. */
  readonly remotes?: Readonly<Record<string, { transport: TransportName; host: string; port: number }>>;
}

/** The program `dist/main.js`, with listeners of all its transports on 127.0.0.1. */
export class ExampleServer implements AsyncDisposable {
  readonly #program: Program;
  readonly #stage: Stage;
  readonly #ports: readonly number[];

  private constructor(stage: Stage, program: Program, ports: readonly number[]) {
    this.#stage = stage;
    this.#program = program;
    this.#ports = ports;
  }

  static async start(stage: Stage, { accounts, credential, remotes }: ExampleServerOptions): Promise<ExampleServer> {
    const domains = new Set(accounts.map((account) => account.slice(account.indexOf('@') + 1)));
    const { cert, key } = await writePemFiles(stage.folder, 'server', credential);
    const config = {
      hosts: [...domains].map((domain) => ({ domain, cert, key })),
      listen: LISTENERS.map((listener) => ({ ...listener, host: '127.0.0.1', port: 0 })),
      trust: [stage.caFile],
      remotes,
    };
    const file = join(stage.folder, 'server.json');
    writeFileSync(file, JSON.stringify(config));
    const CHAT_ACCOUNTS = accounts.map((account) => `${account}:${PASSWORD}`).join(',');
    const program = await Program.start(process.execPath, [MAIN, file], { CHAT_ACCOUNTS });
    const lines = await program.lines(/"msg":"listening"/, LISTENERS.length);
    return new ExampleServer(
      stage,
      program,
      lines.map((line) => JSON.parse(line).port),
    );
  }

  /** Where it listens. */
  port(transport: TransportName, kind: ConnectionKind = 'c2s'): number {
    const index = LISTENERS.findIndex((each) => each.transport === transport && each.kinds.includes(kind));
    return this.#ports[index] ?? 0;
  }

  /** The first record in its log with this message, written already or yet to come. */
  async logged(message: string): Promise<unknown> {
    return JSON.parse(await this.#program.line(new RegExp(`"msg":"${message}"`)));
  }

  /**
   * Logs in `jid` (full) over QUIC by the client of this example; it is available from then on.
   * @param anchor PEM, whom the client trusts.
   */
  async logIn(jid: string, anchor: string = this.#stage.ca.rootPem): Promise<ChatClient> {
    const [, username = '', domain = '', resource = ''] = /^(.*)@(.*)\/(.*)$/.exec(jid) ?? [];
    const quic = clientHub(clientTransports(anchor)).transport('quic');
    const connection = await quic.connect({ kind: 'c2s', domain, host: '127.0.0.1', port: this.port('quic') });
    const client = await ChatClient.login(connection, { username, domain, resource, password: PASSWORD });
    client.sendPresence();
    return client;
  }

  /** Takes leave of all its clients and peers, so that nothing of theirs waits for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program.stop();
  }
}
