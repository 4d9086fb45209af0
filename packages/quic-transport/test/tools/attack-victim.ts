import type { Limits } from '@stanzaport/core';
import type { CredentialOptions } from '@stanzaport/tls-shared';
import type { QuicListenerCounters, QuicOptions } from '../../src/index.ts';
import { Program } from './program.ts';
import { DOMAIN, testCa } from './quic-pair.ts';
import { ATTACKED_DOMAIN } from './udp-attacker.ts';

/** How a connection of the victim ended. */
export interface VictimEnding {
  readonly clean: boolean;
  readonly by: 'local' | 'peer';
  readonly code: string | null;
  readonly quicCode: number | null;
}

/** How the victim is. */
export interface VictimReport {
  /** The most memory it has ever had resident. */
  readonly peakBytes: number;
  /** Processor time it has taken, of all its threads. */
  readonly cpuMs: number;
  readonly counters: QuicListenerCounters;
  readonly connections: number;
  readonly pendingHandshakes: number;
  readonly routes: number;
  /** Of all connections that have ended, in order. */
  readonly endings: readonly VictimEnding[];
}

/** What the victim's listener is given. */
export interface VictimSetup {
  readonly limits?: Partial<Limits>;
  readonly options?: Partial<Omit<QuicOptions, 'staticKey'>> & { readonly staticKey?: Uint8Array };
  readonly port?: number;
  /** Instead of new ones. */
  readonly credentials?: readonly CredentialOptions[];
  /** Make it a worker of `node:cluster`. */
  readonly inCluster?: boolean;
}

/** Fresh certificates for {@link DOMAIN} and {@link ATTACKED_DOMAIN}. */
export async function victimCredentials(): Promise<readonly CredentialOptions[]> {
  const ca = await testCa();
  return Promise.all(
    [DOMAIN, ATTACKED_DOMAIN].map(async (domain) => {
      const { chainPem, keyPem } = await ca.issue({ dnsNames: [domain] });
      return { domain, cert: chainPem, key: keyPem };
    }),
  );
}

/** A listener in a process of its own: what hangs, bloats or ends it takes nothing else along. */
export class AttackVictim {
  readonly #program: Program;
  readonly port: number;

  private constructor(program: Program, port: number) {
    this.#program = program;
    this.port = port;
  }

  /** Serves {@link DOMAIN} and {@link ATTACKED_DOMAIN} with certificates of the test CA. */
  static async start({
    limits = {},
    options = {},
    port = 0,
    credentials,
    inCluster = false,
  }: VictimSetup = {}): Promise<AttackVictim> {
    const program = await Program.start('attack-victim.mjs', { inCluster });
    const ca = await testCa();
    const ownCredentials = credentials ?? (await victimCredentials());
    const listen = { credentials: ownCredentials, trust: [ca.rootPem], limits, options, port };
    return new AttackVictim(program, await program.ask<number>('listen', listen));
  }

  /** Comes when the victim's event loop has turned; rejects when the process has ended. */
  report(): Promise<VictimReport> {
    return this.#program.ask<VictimReport>('report');
  }

  /** Closes the listener in order, which must leave nothing behind that keeps the process alive. */
  async close(): Promise<void> {
    await this.#program.ask('close');
    await this.#program.leave();
  }

  /** Ends the process as the system would: nobody is told. */
  kill(): Promise<void> {
    return this.#program.kill();
  }
}
