import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

/** Rows of each group, as the catalogue numbers them. */
const GROUPS = [
  ['QT', 20],
  ['CERT', 25],
  ['POL', 9],
  ['TLS', 4],
  ['STARTTLS', 7],
  ['TC', 15],
] as const;

const root = new URL('../', import.meta.url);
const page = readFileSync(new URL('docs/conformance.md', root), 'utf8');
/** Cells of every table row that begins with an ID. */
const rows = [...page.matchAll(/^\| ([A-Z]+-\d\d) \| (.+?) \| (.+?) \| (.*?) ?\|$/gm)].map(
  ([, id = '', requirement = '', state = '', tests = '']) => ({ id, requirement, state, tests }),
);
/** The files of a row, each with the ID that its tests carry. */
const proofs = rows.flatMap(({ id, tests }) =>
  [...tests.matchAll(/`([^`]+)`(?: \(([A-Z]+-\d\d)\))?/g)].map(([, file = '', other]) => ({ id: other ?? id, file })),
);

describe('docs/conformance.md', () => {
  test('every requirement has one row, in order', () => {
    const expected = GROUPS.flatMap(([group, count]) =>
      Array.from({ length: count }, (_, index) => `${group}-${String(index + 1).padStart(2, '0')}`),
    );
    expect(rows.map(({ id }) => id)).toEqual(expected);
  });

  test.each(rows)('$id tells a state, and a test that proves what it claims', ({ state, tests }) => {
    const [, word, , why = ''] = /^(yes|partly|not available|not yet)(([:;,]) .+)?$/.exec(state) ?? [];
    expect(word, state).toBeDefined();
    if (word !== 'yes') expect(why).toBe(':');
    if (word === 'yes' || word === 'partly') expect(tests).toMatch(/`.+`/);
  });

  test.each(proofs)('$id is in $file', ({ id, file }) => {
    const path = new URL(/^(?:test|examples)\//.test(file) ? file : `packages/${file}`, root);
    expect(existsSync(path), file).toBe(true);
    const code = readFileSync(path, 'utf8').replace(/^\s*(?:\/\/|\/?\*).*$/gm, '');
    // In the title of a test, or as the ID of a row of a table, whose tests have it in their titles.
    expect(code.includes(`[${id}]`) || code.includes(`'${id}'`), `no test of ${id}`).toBe(true);
  });
});
