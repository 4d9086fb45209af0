import { cpus, type } from 'node:os';
import { median, quantile } from './statistics.ts';

/** One measure of all contenders, a figure of each in each round. */
export class Series {
  readonly title: string;
  readonly unit: string;
  readonly digits: number;
  readonly baseline: string;
  readonly #figures = new Map<string, number[]>();

  /** @param baseline - the row that the others are divided by, where it is there */
  constructor(title: string, unit: string, options: { readonly digits: number; readonly baseline: string }) {
    this.title = title;
    this.unit = unit;
    this.digits = options.digits;
    this.baseline = options.baseline;
  }

  add(row: string, figure: number): void {
    const figures = this.#figures.get(row);
    if (figures === undefined) this.#figures.set(row, [figure]);
    else figures.push(figure);
  }

  /** What was measured, for JSON and for the table. */
  rows(): readonly Row[] {
    const baseline = this.#figures.get(this.baseline);
    return [...this.#figures].map(([name, figures]) => {
      // Round by round, so that a machine that changes its speed between rounds does not matter.
      const ratios = figures.map((figure, round) => figure / (baseline?.[round] ?? Number.NaN));
      return {
        name,
        median: median(figures),
        least: quantile(figures, 0),
        most: quantile(figures, 1),
        ratio: baseline === undefined ? null : median(ratios),
        figures,
      };
    });
  }

  /** What {@link toJSON} wrote, in another process. */
  static from({ title, unit, digits, baseline, rows }: WrittenSeries): Series {
    const series = new Series(title, unit, { digits, baseline });
    for (const { name, figures } of rows) for (const figure of figures) series.add(name, figure);
    return series;
  }

  toJSON(): WrittenSeries {
    const { title, unit, digits, baseline } = this;
    return { title, unit, digits, baseline, rows: this.rows() };
  }

  toString(): string {
    const rows = this.rows();
    const hasRatios = rows.length > 1 && rows.some(({ ratio }) => ratio !== null);
    const head = `${this.title}, ${this.unit}`.padEnd(NAME_WIDTH);
    const lines = rows.map(({ name, median, least, most, ratio }) => {
      const [middle, low, high] = [median, least, most].map((figure) => figure.toFixed(this.digits));
      const spread = `${low?.padStart(FIGURE_WIDTH)} .. ${high?.padEnd(FIGURE_WIDTH - 2)}`;
      const ratioText = hasRatios && ratio !== null ? ratio.toFixed(2).padStart(RATIO_WIDTH) : '';
      return `  ${name.padEnd(NAME_WIDTH - 2)}${middle?.padStart(FIGURE_WIDTH)}${spread}${ratioText}`.trimEnd();
    });
    const columns = `${'median'.padStart(FIGURE_WIDTH)}${'least .. most'.padStart(FIGURE_WIDTH + 8).padEnd(2 * FIGURE_WIDTH + 2)}`;
    return [`${head}${columns}${hasRatios ? `of ${this.baseline}` : ''}`.trimEnd(), ...lines].join('\n');
  }
}

const NAME_WIDTH = 72;
const FIGURE_WIDTH = 10;
const RATIO_WIDTH = 8;

export interface Row {
  readonly name: string;
  readonly median: number;
  readonly least: number;
  readonly most: number;
  /** To the baseline, the median of all rounds; null where there is none. */
  readonly ratio: number | null;
  readonly figures: readonly number[];
}

/** A {@link Series} as JSON. */
export interface WrittenSeries {
  readonly title: string;
  readonly unit: string;
  readonly digits: number;
  readonly baseline: string;
  readonly rows: readonly Row[];
}

/** The answer to a question. */
export interface Report {
  readonly question: string;
  /** What one has to know to read the figures. */
  readonly conditions: readonly string[];
  readonly series: readonly Series[];
  /** Who or what could not be measured, and why. */
  readonly leftOut?: readonly string[];
}

/** What it was measured on. */
export function machine(): string {
  const cores = cpus();
  return `Node.js ${process.versions.node}, ${type()}, ${cores.length} cores (${cores[0]?.model.trim()})`;
}

export function print({ question, conditions, series, leftOut = [] }: Report, rounds: number): string {
  const medians = `${machine()}; medians of ${rounds} round${rounds === 1 ? '' : 's'}`;
  const notes = leftOut.map((what) => `Left out: ${what}`);
  return `${['', question, ...conditions, medians, ...series.map((one) => `\n${one}`), ...(notes.length > 0 ? ['', ...notes] : [])].join('\n')}\n`;
}
