import { type ContenderName, TITLES } from './contenders.ts';
import { fetchPeer } from './fetched-peer.ts';
import type { Report } from './report.ts';

/** How often, how much, and by whom. */
export interface Circumstances {
  readonly rounds: number;
  /** Little work: shows that it runs, not how fast. */
  readonly quick: boolean;
  /** The contenders asked for. @defaultValue all that the question knows */
  readonly only: readonly ContenderName[] | null;
}

/** One question, one command. */
export interface Question {
  /** What it is asked by: `npm run bench -- NAME`. */
  readonly name: string;
  /** The question, in words. */
  readonly title: string;
  readonly rounds: number;
  measure(circumstances: Circumstances): Promise<Report>;
}

/** Whom to measure: of `known` those that are asked for and can be had; and who cannot, and why. */
export function chosen<Name extends ContenderName>(
  known: readonly Name[],
  { only }: Pick<Circumstances, 'only'>,
): { readonly contenders: readonly Name[]; readonly leftOut: readonly string[] } {
  const leftOut: string[] = [];
  const contenders = known.filter((name) => {
    if (only !== null && !only.includes(name)) return false;
    const why = fetchPeer(name);
    if (why !== null) leftOut.push(`${TITLES[name]}: ${why}`);
    return why === null;
  });
  return { contenders, leftOut };
}

/** Whose turn it is in a round: all of them, another one first each time. */
export function turnsOf<Name>(names: readonly Name[], round: number): readonly Name[] {
  const first = round % Math.max(1, names.length);
  return [...names.slice(first), ...names.slice(0, first)];
}
