import { accessSync, constants } from 'node:fs';
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import type { ConnectionKind } from '@stanzaport/core';
import type { CredentialOptions } from '@stanzaport/tls-shared';
import type { Remote } from '../server/federation/remote.ts';
import { type ListenerOptions, type ServerTransportOptions, socketOf, TRANSPORT_NAMES } from '../transports.ts';
import type { Field } from './fields.ts';

/** What a config file says. */
export interface Config extends Required<ServerTransportOptions> {
  /** The virtual hosts, in A-labels. */
  readonly domains: readonly string[];
  /** Where the servers of other domains are, by domain in A-labels. */
  readonly remotes: ReadonlyMap<string, Remote>;
}

const KINDS: readonly ConnectionKind[] = ['c2s', 's2s'];

/**
 * @param folder what relative paths of files start from.
 * @throws ConfigError naming the field.
 */
export function parseConfig(file: Field, folder: string): Config {
  const { hosts, listen, trust, remotes } = file.object(['hosts', 'listen', 'trust', 'remotes']);
  const credentials = parseHosts(hosts, folder);
  const domains = credentials.map(({ domain }) => domain);
  return {
    domains,
    credentials,
    listen: parseListeners(listen),
    trust: trust.isAbsent ? 'system' : trust.list().map((source) => parseTrust(source, folder)),
    remotes: remotes.isAbsent ? new Map() : parseRemotes(remotes, domains),
  };
}

function parseHosts(hosts: Field, folder: string): (CredentialOptions & { readonly domain: string })[] {
  const seen = new Map<string, string>();
  return hosts.list().map((host) => {
    const { domain, cert, key } = host.object(['domain', 'cert', 'key']);
    const name = domain.domain();
    onlyOnce(seen, name, domain, name);
    return { domain: name, cert: parsePath(cert, folder), key: parsePath(key, folder) };
  });
}

function parseListeners(listen: Field): ListenerOptions[] {
  const seen = new Map<string, string>();
  return listen.list().map((listener) => {
    const { transport, host, port, kinds } = listener.object(['transport', 'host', 'port', 'kinds']);
    const options: ListenerOptions = {
      transport: transport.choice(TRANSPORT_NAMES),
      host: host.isAbsent ? '::' : parseAddress(host),
      port: port.port(0),
      kinds: kinds.isAbsent ? ['c2s'] : parseKinds(kinds),
    };
    const place = `${socketOf(options.transport)} ${options.host} ${options.port}`;
    if (options.port !== 0) onlyOnce(seen, place, port, `${options.host} port ${options.port}`);
    return options;
  });
}

function parseKinds(kinds: Field): ConnectionKind[] {
  const seen = new Map<string, string>();
  return kinds.list().map((field) => {
    const kind = field.choice(KINDS);
    onlyOnce(seen, kind, field, kind);
    return kind;
  });
}

function parseRemotes(remotes: Field, own: readonly string[]): Map<string, Remote> {
  const parsed = new Map<string, Remote>();
  const seen = new Map<string, string>();
  for (const [name, remote] of remotes.entries()) {
    const domain = remote.nameAsDomain(name);
    if (own.includes(domain)) remote.fail('it is one of the hosts of this server');
    onlyOnce(seen, domain, remote, domain);
    const { transport, host, port } = remote.object(['transport', 'host', 'port']);
    parsed.set(domain, {
      transport: transport.choice(TRANSPORT_NAMES),
      ...(host.isAbsent ? {} : { host: isIP(host.text()) === 0 ? host.domain() : host.text() }),
      ...(port.isAbsent ? {} : { port: port.port(1) }),
    });
  }
  return parsed;
}

function parseTrust(source: Field, folder: string): string {
  return source.text() === 'system' ? 'system' : parsePath(source, folder);
}

function parseAddress(host: Field): string {
  const text = host.text();
  return isIP(text) === 0 ? host.fail(`'${text}' is no IP address`) : text;
}

function parsePath(field: Field, folder: string): string {
  const path = resolve(folder, field.text());
  try {
    accessSync(path, constants.R_OK);
  } catch {
    field.fail(`the file ${path} is missing, or must not be read`);
  }
  return path;
}

/** @param seen which field has what, so far. */
function onlyOnce(seen: Map<string, string>, key: string, field: Field, shown: string): void {
  const first = seen.get(key);
  if (first !== undefined) field.fail(`${shown} is given twice, first in ${first}`);
  seen.set(key, field.path);
}
