import type { Connection, Limits, Stanza, StanzaStream } from '@stanzaport/core';
import { memoryTransportModule } from '@stanzaport/testing';
import { ChatClient } from '../src/client/chat-client.ts';
import { CAST, DOMAINS } from '../src/demo/cast.ts';
import { NS } from '../src/namespaces.ts';
import { AccountStore } from '../src/server/accounts.ts';
import { type ServerProgram, startServer } from '../src/server-program.ts';

export type Name = keyof typeof CAST;

/** The chat server of the example on the memory transport, with the accounts of its demonstration. */
export interface TestServer extends AsyncDisposable {
  readonly program: ServerProgram;
  connect(domain?: string): Promise<Connection>;
  /** Logs in on a connection of its own, or on the one given, and becomes available. */
  login(name: Name, options?: { readonly resource?: string; readonly on?: Connection }): Promise<ChatClient>;
}

export async function startTestServer(limits: Partial<Limits> = {}): Promise<TestServer> {
  const accounts = new AccountStore(DOMAINS);
  for (const { username, domain, password } of Object.values(CAST)) {
    await accounts.add(`${username}@${domain}`, password);
  }
  const transports = [memoryTransportModule({ listen: [{ port: 0 }], limits })];
  const program = await startServer({ transports, accounts });
  const port = program.hub.listeners[0]?.address.port ?? 0;
  const connect = (domain: string = DOMAINS[0]): Promise<Connection> =>
    program.hub.transport('memory').connect({ kind: 'c2s', domain, port });
  return {
    program,
    connect,
    async login(name, { resource = CAST[name].resource, on } = {}) {
      const client = await ChatClient.login(on ?? (await connect()), { ...CAST[name], resource });
      client.sendPresence();
      await client.next((stanza) => stanza.name === 'presence' && stanza.from === client.jid);
      return client;
    },
    [Symbol.asyncDispose]: () => program.stop(),
  };
}

/** The next stanza of this name. */
export function named(name: string): (stanza: Stanza) => boolean {
  return (stanza) => stanza.name === name;
}

/** The condition in a stanza of type error, null in any other. */
export function errorIn({ type, element }: Stanza): string | null {
  return type === 'error' ? (element.getChild('error')?.getChildElements()[0]?.getName() ?? null) : null;
}

export function bodyIn({ element }: Stanza): string | null {
  return element.getChildText('body');
}

/** A stream for tests that speak XML themselves: each call of `say` sends, each of `hear` takes the next element. */
export class RawStream {
  readonly stream: StanzaStream;
  readonly #stanzas: AsyncIterator<Stanza>;

  constructor(stream: StanzaStream) {
    this.stream = stream;
    this.#stanzas = stream[Symbol.asyncIterator]();
  }

  static async open(connection: Connection, to: string = DOMAINS[0]): Promise<RawStream> {
    const raw = new RawStream(await connection.openStream());
    raw.stream.sendHeader({ to });
    return raw;
  }

  say(text: string): void {
    this.stream.send(text);
  }

  async hear(): Promise<Stanza> {
    const { value, done } = await this.#stanzas.next();
    if (done) throw new Error('the stream has ended');
    return value;
  }

  /** Says `text`, then hears the answer. */
  ask(text: string): Promise<Stanza> {
    this.say(text);
    return this.hear();
  }

  /** As the account `name`, with the resource `deaf`, and available; what comes then is not read. */
  async logIn(name: Name): Promise<void> {
    const { domain, username, password } = CAST[name];
    const message = Buffer.from(`\0${username}\0${password}`).toString('base64');
    await this.hear();
    await this.ask(`<auth xmlns='${NS.sasl}' mechanism='PLAIN'>${message}</auth>`);
    this.stream.restart();
    this.stream.sendHeader({ to: domain });
    await this.hear();
    await this.ask(`<iq type='set' id='1'><bind xmlns='${NS.bind}'><resource>deaf</resource></bind></iq>`);
    await this.ask('<presence/>');
  }

  /** The condition of the stream error the server ends with, or null for a clean end. */
  async ending(): Promise<string | null> {
    try {
      for (;;) if ((await this.#stanzas.next()).done) break;
    } catch {
      // The reason says more.
    }
    const { error } = await this.stream.closed;
    return error === null ? null : 'condition' in error ? String(error.condition) : error.code;
  }
}
