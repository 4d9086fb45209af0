import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

/** The built program: `npm test` builds before it tests. */
const program = fileURLToPath(new URL('../bench/dist/main.js', import.meta.url));

/** Two are enough to make a table with ratios. */
const ONLY = '--only=bare,quic';

const bench = (...words: string[]): string => execFileSync(process.execPath, [program, ...words], { encoding: 'utf8' });

interface Report {
  readonly question: string;
  readonly conditions: readonly string[];
  readonly series: readonly {
    readonly title: string;
    readonly rows: readonly { readonly figures: readonly number[] }[];
  }[];
  readonly leftOut?: readonly string[];
}

const questions = ['throughput', 'echo', 'handshakes', 'features', 'loss', 'xml', 'burst'];
/** `echo` and `burst` are the tasks of these once more. */
const asked = questions.filter((question) => question !== 'echo' && question !== 'burst');

describe('npm run bench', () => {
  test('lists the questions that can be asked', () => {
    const listed = [...bench().matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name);
    expect(listed).toEqual(expect.arrayContaining(questions));
  });

  test('tells what there is when asked for something else', () => {
    const { status, stdout } = spawnSync(process.execPath, [program, 'nonsense'], { encoding: 'utf8' });
    expect([status, stdout]).toEqual([1, expect.stringContaining('There is no question nonsense.')]);
  });

  test.each(asked)('%s: each row has a figure, or it is told why there are none', (question) => {
    const report: Report = JSON.parse(bench(question, '1', '--quick', '--json', ONLY));
    const figures = report.series.flatMap(({ rows }) => rows.flatMap((row) => row.figures));
    expect(figures.filter((figure) => !(figure > 0))).toEqual([]);
    expect(figures.length > 0 || (report.leftOut ?? []).length > 0).toBe(true);
    expect(report.conditions[0]).toMatch(/^QUICK/);
  });

  test('prints a table with medians, spread and ratios', () => {
    const table = bench('xml', '2', '--quick');
    expect(table).toMatch(/median {2,}least \.\. most {2,}of saxes/);
    expect(table).toMatch(/^ {2}Stanzaport, and its tree +\d+ +\d+ \.\. \d+ +\d+\.\d\d$/m);
  });
});
