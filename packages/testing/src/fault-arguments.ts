import { parseArgs } from 'node:util';
import { TransportError } from '@stanzaport/core';
import type { FaultPlan } from './fault-plan.ts';

/** Each fault's name on the command line; with `to-server-` or `to-client-` before it, it means that direction alone. */
export const FAULT_NAMES: Readonly<Record<string, keyof FaultPlan>> = {
  loss: 'loss',
  'loss-burst': 'lossBurst',
  delay: 'delayMs',
  jitter: 'jitterMs',
  reorder: 'reorder',
  'reorder-gap': 'reorderGap',
  'reorder-wait': 'reorderWaitMs',
  duplicate: 'duplicate',
  corrupt: 'corrupt',
  'corrupt-bits': 'corruptBits',
  rate: 'bytesPerSecond',
  queue: 'queueBytes',
};

/** A host, which may be a name, and a port. */
export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

/** The two plans of a forwarder. */
export interface FaultPlans {
  readonly toServer: Partial<FaultPlan>;
  readonly toClient: Partial<FaultPlan>;
}

/** What the command line says. */
export interface FaultArguments extends FaultPlans {
  readonly help: boolean;
  readonly listen: HostAndPort | null;
  readonly target: HostAndPort | null;
  readonly seed: number;
}

/** @throws TransportError `XMPP_BAD_OPTION`, naming the argument. */
export function parseFaultArguments(given: readonly string[]): FaultArguments {
  const { help, listen, target, seed, ...faults } = parseValues(given);
  let plans: FaultPlans = { toServer: {}, toClient: {} };
  // What means one direction goes over what means both, in whatever order they come.
  for (const [name, value] of Object.entries(faults).sort(([one], [other]) => one.length - other.length)) {
    if (typeof value === 'string') plans = changePlans(plans, name, value);
  }
  return {
    ...plans,
    help: help === true,
    listen: typeof listen === 'string' ? parseHostAndPort('listen', listen) : null,
    target: typeof target === 'string' ? parseHostAndPort('target', target) : null,
    seed: typeof seed === 'string' ? parseNumber('seed', seed) : 1,
  };
}

/**
 * The plans with one fault set by its name on the command line.
 * @throws TransportError `XMPP_BAD_OPTION` when there is no such fault or the value is no number.
 */
export function changePlans({ toServer, toClient }: FaultPlans, name: string, value: string): FaultPlans {
  const [, direction, fault = ''] = /^(to-server-|to-client-)?(.*)$/.exec(name) ?? [];
  const field = Object.hasOwn(FAULT_NAMES, fault) ? FAULT_NAMES[fault] : undefined;
  if (field === undefined) throw new TransportError('XMPP_BAD_OPTION', `there is no fault '${name}'`);
  const change = { [field]: parseNumber(name, value) };
  return {
    toServer: direction === 'to-client-' ? toServer : { ...toServer, ...change },
    toClient: direction === 'to-server-' ? toClient : { ...toClient, ...change },
  };
}

function parseValues(given: readonly string[]): Record<string, string | boolean | undefined> {
  const text = { type: 'string' } as const;
  const faults = Object.keys(FAULT_NAMES).flatMap((name) => [name, `to-server-${name}`, `to-client-${name}`]);
  try {
    return parseArgs({
      args: [...given],
      options: {
        ...Object.fromEntries(faults.map((name) => [name, text])),
        listen: text,
        target: text,
        seed: text,
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    throw new TransportError('XMPP_BAD_OPTION', (error as Error).message, { cause: error });
  }
}

function parseNumber(name: string, value: string): number {
  const number = value.trim() === '' ? Number.NaN : Number(value);
  if (Number.isNaN(number)) throw new TransportError('XMPP_BAD_OPTION', `${name}: '${value}' is no number`);
  return number;
}

/** `host:port`, or `[address]:port` for IPv6. */
function parseHostAndPort(name: string, value: string): HostAndPort {
  const { bracketed, plain, port } =
    /^(?:\[(?<bracketed>[^\]]+)\]|(?<plain>[^:]+)):(?<port>\d+)$/.exec(value)?.groups ?? {};
  const host = bracketed ?? plain;
  if (host === undefined) throw new TransportError('XMPP_BAD_OPTION', `${name}: '${value}' is not host:port`);
  return { host, port: Number(port) };
}
