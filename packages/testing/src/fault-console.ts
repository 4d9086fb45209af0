import { TransportError } from '@stanzaport/core';
import { changePlans } from './fault-arguments.ts';
import type { FaultCounters, FaultDirection } from './fault-events.ts';
import type { UdpForwarder } from './fault-forwarder.ts';

export const CONSOLE_HELP = `\
rebind [ADDRESS]      give every client another port, or another address, towards the target
die [DIRECTION]       go dead: to-server, to-client, or both if none is given
revive [DIRECTION]    carry again
hold [DIRECTION]      let nothing out, lose nothing
release [DIRECTION]   let it go
drop [COUNT]          drop the next datagrams
FAULT VALUE           change the plan, such as: loss 0.1, to-client-delay 200
stats                 what has been counted
quit                  end
`;

/** Runs commands, one a line, on a forwarder. */
export class FaultConsole {
  readonly #forwarder: UdpForwarder;

  constructor(forwarder: UdpForwarder) {
    this.#forwarder = forwarder;
  }

  /** Answers what to show; a command that cannot be carried out is answered as well. */
  async execute(line: string): Promise<string> {
    const [command = '', argument] = line.trim().split(/\s+/);
    try {
      return await this.#run(command, argument);
    } catch (error) {
      if (error instanceof TransportError) return `${error.message}\n`;
      throw error;
    }
  }

  async #run(command: string, argument: string | undefined): Promise<string> {
    const forwarder = this.#forwarder;
    switch (command) {
      case '':
        return '';
      case 'help':
        return CONSOLE_HELP;
      case 'stats':
        return stats(forwarder);
      case 'rebind':
        await forwarder.rebind(argument === undefined ? {} : { address: argument });
        return `clients are seen at ${forwarder.clients.map(({ upstream }) => show(upstream)).join(', ') || 'nothing'}\n`;
      case 'die':
      case 'revive':
      case 'hold':
      case 'release':
        forwarder[command](parseDirection(argument));
        return 'done\n';
      case 'drop': {
        const count = Number(argument ?? 1);
        if (!Number.isSafeInteger(count) || count < 1) throw bad(`drop: '${argument}' is no count`);
        forwarder.dropNext(count);
        return 'done\n';
      }
      default:
        return this.#changePlan(command, argument);
    }
  }

  #changePlan(name: string, value: string | undefined): string {
    if (value === undefined) throw bad(`there is no command '${name}'; help tells them`);
    const { toServer, toClient } = changePlans(this.#forwarder, name, value);
    this.#forwarder.toServer = toServer;
    this.#forwarder.toClient = toClient;
    return 'done\n';
  }
}

function parseDirection(text = 'both'): FaultDirection | 'both' {
  if (text === 'to-server' || text === 'to-client' || text === 'both') return text;
  throw bad(`'${text}' is no direction, which is to-server, to-client or both`);
}

function stats({ counters, clients }: UdpForwarder): string {
  const text = (counted: FaultCounters): string =>
    Object.entries(counted)
      .filter(([, value]) => value > 0)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ') || 'nothing';
  const seen = clients
    .map(({ address, upstream }) => `client     ${show(address)} seen as ${show(upstream)}\n`)
    .join('');
  return `${seen}to server  ${text(counters.toServer)}\nto client  ${text(counters.toClient)}\n`;
}

/** An address with its port, as people write them. */
export function show(at: { readonly address: string; readonly port: number } | null): string {
  if (at === null) return 'nothing';
  return at.address.includes(':') ? `[${at.address}]:${at.port}` : `${at.address}:${at.port}`;
}

function bad(message: string): TransportError {
  return new TransportError('XMPP_BAD_OPTION', message);
}
