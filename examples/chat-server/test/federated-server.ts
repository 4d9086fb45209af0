import { Writable } from 'node:stream';
import type { Connection, Stanza } from '@stanzaport/core';
import type { TestCa } from '@stanzaport/testing';
import { pino } from 'pino';
import { ChatClient } from '../src/client/chat-client.ts';
import { Mailbox } from '../src/client/mailbox.ts';
import { clientHub } from '../src/client-program.ts';
import { AccountStore } from '../src/server/accounts.ts';
import type { Remote } from '../src/server/federation/remote.ts';
import { type ServerProgram, startServer } from '../src/server-program.ts';
import { clientTransports, serverTransports, type TransportName } from '../src/transports.ts';

const HOST = '127.0.0.1';
const PASSWORD = 'secret';
/** Of pino. */
const WARN = 40;

/** One server of one domain, with clients and other servers on real sockets of one transport. */
export interface FederatedServer extends AsyncDisposable {
  readonly domain: string;
  readonly program: ServerProgram;
  /** Where this server is, for the others. */
  readonly remote: Required<Remote>;
  /** Whom this server knows; may change at any time. */
  readonly remotes: Map<string, Remote>;
  /** Messages of log records of level `warn` and up, with what they say of the reason. */
  readonly warnings: readonly string[];
  /** Streams of other servers that were authenticated here, with the connection that each came on. */
  readonly authenticated: readonly { readonly remote: string; readonly connectionId: string }[];
  /** Resolves when there has been such a warning that nobody waited for yet. */
  warning(pattern: RegExp): Promise<string>;
  login(username: string, host?: string): Promise<ChatClient>;
}

export interface FederatedServerOptions {
  readonly ca: TestCa;
  readonly transport: TransportName;
  readonly domain: string;
  readonly usernames: readonly string[];
  /** The domain in the certificate. @defaultValue `domain` */
  readonly certified?: string;
  /** Further hosts, with the same certificate and users. @defaultValue none */
  readonly others?: readonly string[];
}

export async function startFederatedServer(options: FederatedServerOptions): Promise<FederatedServer> {
  const { ca, transport, domain, usernames, certified = domain, others = [] } = options;
  const domains = [domain, ...others];
  const { chainPem, keyPem } = await ca.issue({ dnsNames: [certified, ...others] });
  const accounts = new AccountStore(domains);
  for (const host of domains) {
    for (const username of usernames) await accounts.add(`${username}@${host}`, PASSWORD);
  }
  const remotes = new Map<string, Remote>();
  const warnings: string[] = [];
  const authenticated: { readonly remote: string; readonly connectionId: string }[] = [];
  const unseen = new Mailbox<string>();
  const log = new Writable({
    write(line, _encoding, done) {
      const { level, msg, detail, reason, ...fields } = JSON.parse(String(line));
      if (msg === 'a server is authenticated') authenticated.push(fields);
      if (level < WARN) return done();
      const warning = `${msg}: ${detail ?? reason}`;
      warnings.push(warning);
      unseen.put(warning);
      done();
    },
  });
  const program = await startServer({
    transports: serverTransports({
      credentials: [{ domain: domains, cert: chainPem, key: keyPem }],
      trust: [ca.rootPem],
      listen: [{ transport, host: HOST, port: 0, kinds: ['c2s', 's2s'] }],
    }),
    accounts,
    remotes,
    logger: pino({ level: 'info' }, log),
  });
  const port = program.hub.listeners[0]?.address.port ?? 0;
  const connections: Connection[] = [];
  return {
    domain,
    program,
    remote: { transport, host: HOST, port },
    remotes,
    warnings,
    authenticated,
    warning: (pattern) => unseen.take((warning) => pattern.test(warning)),
    async login(username, host = domain) {
      // Clients of a server with the wrong certificate are asked to overlook that: it is not what the tests are about.
      const hub = clientHub(clientTransports(ca.rootPem));
      const delegations = [{ form: 'name', name: certified, validUntilMs: Number.POSITIVE_INFINITY } as const];
      const target = { kind: 'c2s', domain: host, host: HOST, port, delegations } as const;
      const connection = await hub.transport(transport).connect(target);
      connections.push(connection);
      const account = { username, domain: host, password: PASSWORD, resource: 'home' };
      const client = await ChatClient.login(connection, account);
      client.sendPresence();
      await client.next((stanza: Stanza) => stanza.name === 'presence' && stanza.from === client.jid);
      return client;
    },
    async [Symbol.asyncDispose]() {
      await program.stop();
      await Promise.all(connections.map((connection) => connection.close()));
    },
  };
}

/** Tells each server where the others are. */
export function introduce(...servers: readonly FederatedServer[]): void {
  for (const one of servers) {
    for (const other of servers) if (one !== other) one.remotes.set(other.domain, other.remote);
  }
}
