import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from './free-ports.ts';
import { Program } from './program.ts';

/** Where a domain takes streams of other servers: an SRV record (RFC 6120 §3.2.1; XEP-0368 §2). */
export interface ServerRecord {
  readonly domain: string;
  readonly service: 'xmpp-server' | 'xmpps-server';
  /** On 127.0.0.1. */
  readonly port: number;
}

/** dnsmasq on 127.0.0.1, which knows these records and says NXDOMAIN to everything else. */
export class NameServer implements AsyncDisposable {
  readonly port: number;
  readonly #program: Program;

  private constructor(port: number, program: Program) {
    this.port = port;
    this.#program = program;
  }

  static async start(folder: string, records: readonly ServerRecord[]): Promise<NameServer> {
    const [port = 0] = await freePorts(1);
    const file = join(folder, 'dnsmasq.conf');
    const lines = records.flatMap(({ domain, service, port: target }) => [
      `host-record=xmpp.${domain},127.0.0.1`,
      `srv-host=_${service}._tcp.${domain},xmpp.${domain},${target},0,5`,
    ]);
    const settings = [
      `port=${port}`,
      'listen-address=127.0.0.1',
      'bind-interfaces',
      'no-resolv',
      'no-hosts',
      'no-poll',
    ];
    writeFileSync(file, [...settings, 'local=/#/', 'user=', 'group=', 'pid-file=', ...lines, ''].join('\n'));
    const program = await Program.start('dnsmasq', ['--keep-in-foreground', '--log-facility=-', `--conf-file=${file}`]);
    await program.line(/started, version/);
    return new NameServer(port, program);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
  }
}
