import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TestCredential } from '@stanzaport/testing';
import { ExampleServer } from './example-server.ts';
import { NameServer } from './name-server.ts';
import type { Program } from './program.ts';
import { prosodyPorts, startProsody } from './prosody.ts';
import type { SlixmppOptions } from './slixmpp-client.ts';
import { PASSWORD, Stage } from './stage.ts';

/** The server of this example has juliet. */
export const OURS = 'capulet.example';
export const JULIET = 'juliet@capulet.example/balcony';
/** Prosody has escalus. */
export const THEIRS = 'verona.example';
export const ESCALUS = 'escalus@verona.example/palace';

/** Two servers, each of which knows where to find the other. */
export interface Federation {
  readonly ours: ExampleServer;
  readonly prosody: Program;
  /** How to be escalus. */
  readonly escalus: SlixmppOptions;
}

/** What may be chosen of a {@link Federation}. */
export interface FederationOptions {
  readonly transport: 'direct-tls' | 'starttls';
  /** @defaultValue a good one for {@link OURS} */
  readonly ours?: (stage: Stage) => Promise<TestCredential>;
  /** @defaultValue a good one for {@link THEIRS} */
  readonly theirs?: (stage: Stage) => Promise<TestCredential>;
}

/** Starts both servers and a name server, calls `act`, and stops them all. */
export async function federate(
  options: FederationOptions,
  act: (federation: Federation) => Promise<void>,
): Promise<void> {
  const {
    transport,
    ours: issueOurs = ({ ca }) => ca.issue({ dnsNames: [OURS] }),
    theirs: issueTheirs = ({ ca }) => ca.issue({ dnsNames: [THEIRS] }),
  } = options;
  using stage = await Stage.set();
  const ports = await prosodyPorts();
  await using ours = await ExampleServer.start(stage, {
    accounts: ['juliet@capulet.example'],
    credential: await issueOurs(stage),
    remotes: { [THEIRS]: { transport, host: '127.0.0.1', port: ports.servers[transport] } },
  });
  const service = transport === 'direct-tls' ? 'xmpps-server' : 'xmpp-server';
  await using dns = await NameServer.start(stage.folder, [
    { domain: OURS, service, port: ours.port(transport, 's2s') },
  ]);
  const folder = join(stage.folder, 'prosody');
  mkdirSync(folder);
  await using prosody = await startProsody({
    folder,
    domain: THEIRS,
    passwords: { escalus: PASSWORD },
    clientsCredential: await stage.ca.issue({ dnsNames: [THEIRS] }),
    serversCredential: await issueTheirs(stage),
    ca: stage.caFile,
    dns: dns.port,
    ports,
  });
  const escalus = { jid: ESCALUS, password: PASSWORD, tls: 'starttls', port: ports.clients, ca: stage.caFile } as const;
  await act({ ours, prosody, escalus });
}
