import type { QuicListenerCounters } from '../../src/index.ts';
import { AttackVictim, type VictimReport, type VictimSetup } from './attack-victim.ts';
import { HonestPeer } from './honest-peer.ts';

/** What an attack has done to its victim. */
export interface Damage {
  /** By how much the most memory the process ever had has grown. */
  readonly growthBytes: number;
  readonly cpuMs: number;
  /** Stanzas another connection exchanged meanwhile, one after the other. */
  readonly exchanged: number;
  /** What the listener counted meanwhile, the honest connection included. */
  readonly counters: QuicListenerCounters;
  readonly after: VictimReport;
}

/** A listener in a process of its own, a client of it in conversation, and whatever is played in front of them. */
export class AttackStage {
  readonly victim: AttackVictim;
  readonly honest: HonestPeer;

  private constructor(victim: AttackVictim, honest: HonestPeer) {
    this.victim = victim;
    this.honest = honest;
  }

  static async set(setup: VictimSetup = {}): Promise<AttackStage> {
    const victim = await AttackVictim.start(setup);
    return new AttackStage(victim, await HonestPeer.connect(victim.port));
  }

  /**
   * Plays `attack` while the honest client exchanges stanzas before, during and after it; rejects when it cannot, when the
   * victim's event loop does not turn any more, or when the watchdog has ended the victim.
   */
  async play(attack: () => Promise<void>): Promise<Damage> {
    const { victim, honest } = this;
    for (let warmUp = 0; warmUp < 20; warmUp++) await honest.exchange();
    const before = await victim.report();
    const exchangedBefore = honest.exchanged;
    honest.startTalking();
    try {
      await attack();
      // The stanza that is on its way in the shortest attack.
      while (honest.exchanged === exchangedBefore) await victim.report();
    } finally {
      await honest.stopTalking();
    }
    const exchanged = honest.exchanged - exchangedBefore;
    // What was sent before this stanza has been received before it, too.
    await honest.exchange();
    const after = await victim.report();
    return {
      growthBytes: after.peakBytes - before.peakBytes,
      cpuMs: after.cpuMs - before.cpuMs,
      exchanged,
      counters: difference(after.counters, before.counters),
      after,
    };
  }

  /** The victim forgets what is over, and ends in order when its listener is closed. */
  async clear(): Promise<void> {
    await this.honest.leave();
    await this.victim.close();
  }
}

function difference(after: QuicListenerCounters, before: QuicListenerCounters): QuicListenerCounters {
  const entries = Object.entries(after).map(([name, count]) => [name, count - before[name as keyof typeof before]]);
  return Object.fromEntries(entries) as QuicListenerCounters;
}
