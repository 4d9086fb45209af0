import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type PemFiles, type TestCredential, writePemFiles } from '@stanzaport/testing';
import { freePorts } from './free-ports.ts';
import { Program } from './program.ts';

/** What a Prosody of a test is told. */
export interface ProsodyOptions {
  /** Its own folder. */
  readonly folder: string;
  readonly domain: string;
  /** By username. */
  readonly passwords: Readonly<Record<string, string>>;
  /** Shown to its clients. */
  readonly clientsCredential: TestCredential;
  /** Shown to other servers. */
  readonly serversCredential: TestCredential;
  /** PEM file, the only CA to trust. */
  readonly ca: string;
  /** The only name server to ask, a port on 127.0.0.1. */
  readonly dns: number;
  /** Where it listens; {@link prosodyPorts}. */
  readonly ports: ProsodyPorts;
}

/** On 127.0.0.1. */
export interface ProsodyPorts {
  /** Clients, STARTTLS. */
  readonly clients: number;
  /** Servers, by how TLS begins. */
  readonly servers: { readonly starttls: number; readonly 'direct-tls': number };
}

/** Ports that are free now. */
export async function prosodyPorts(): Promise<ProsodyPorts> {
  const [clients = 0, starttls = 0, directTls = 0] = await freePorts(3);
  return { clients, servers: { starttls, 'direct-tls': directTls } };
}

/** Prosody, which takes streams of other servers only with a good certificate, and SASL EXTERNAL on it (XEP-0178). */
export async function startProsody(options: ProsodyOptions): Promise<Program> {
  const { folder, domain, passwords, clientsCredential, serversCredential, ports } = options;
  const clients = await writePemFiles(folder, 'clients', clientsCredential);
  const servers = await writePemFiles(folder, 'servers', serversCredential);
  // Accounts, in the form that its "internal_plain" reads.
  const accounts = join(folder, 'data', domain.replaceAll('.', '%2e'), 'accounts');
  mkdirSync(accounts, { recursive: true });
  for (const [username, password] of Object.entries(passwords)) {
    writeFileSync(join(accounts, `${username}.dat`), `return { ["password"] = ${JSON.stringify(password)} };\n`);
  }
  const file = join(folder, 'prosody.cfg.lua');
  writeFileSync(file, configuration({ ...options, clients, servers }));
  const program = await Program.start('prosody', ['-F', '--config', file]);
  for (const port of [ports.clients, ports.servers.starttls, ports.servers['direct-tls']]) {
    await program.line(new RegExp(`Activated service .* on .*\\[127\\.0\\.0\\.1\\]:${port}\\b`));
  }
  return program;
}

interface Configuration extends ProsodyOptions {
  readonly clients: PemFiles;
  readonly servers: PemFiles;
}

/** Its resolver, libunbound, gets one server, on loopback, and remembers nothing. */
function configuration({ folder, domain, ca, dns, ports, clients, servers }: Configuration): string {
  return `
run_as_root = true
daemonize = false
pidfile = "${folder}/prosody.pid"
data_path = "${folder}/data"
log = { info = "*console" }
interfaces = { "127.0.0.1" }
unbound = { resolvconf = false, hoststxt = false, forward = "127.0.0.1@${dns}", options = {
  ["do-not-query-localhost:"] = "no", ["cache-max-ttl:"] = "0", ["cache-max-negative-ttl:"] = "0",
  ["infra-host-ttl:"] = "0" } }
modules_enabled = { "roster", "saslauth", "tls", "disco", "ping", "s2s", "s2s_auth_certs" }
modules_disabled = { "offline", "http" }
authentication = "internal_plain"
c2s_require_encryption = true
s2s_require_encryption = true
s2s_secure_auth = true
c2s_ports = { ${ports.clients} }
s2s_ports = { ${ports.servers.starttls} }
s2s_direct_tls_ports = { ${ports.servers['direct-tls']} }
http_ports = {}
https_ports = {}
ssl = { cafile = "${ca}", certificate = "${servers.cert}", key = "${servers.key}" }
VirtualHost "${domain}"
c2s_ssl = { certificate = "${clients.cert}", key = "${clients.key}" }
`;
}
