import { describe, expect, test } from 'vitest';
import { certificateRows } from './group-d/certificate-rows.ts';
import { DELEGATION_ROWS } from './group-d/delegation-rows.ts';
import { PEER_ROWS } from './group-d/peer-rows.ts';
import { Stage, TRANSPORTS, testCa } from './group-d/stage.ts';
import { TLS_ROWS } from './group-d/tls-rows.ts';

/**
 * Certificates and TLS policy (group D of the catalogue): one table, over every transport that has TLS, through nothing but
 * the contract (XEP-0467 §4).
 */
const ca = await testCa();
const rows = [...(await certificateRows(ca)), ...DELEGATION_ROWS, ...PEER_ROWS, ...TLS_ROWS];

test('every row of group D is in the table', () => {
  const numbered = (group: string, count: number): string[] =>
    Array.from({ length: count }, (_, index) => `${group}-${String(index + 1).padStart(2, '0')}`);
  expect([...new Set(rows.map(({ id }) => id))].sort()).toEqual([...numbered('CERT', 25), ...numbered('POL', 9)]);
});

describe.each(TRANSPORTS)('group D over %s', (name) => {
  for (const { id, title, without, run } of rows) {
    const reason = without?.[name];
    test.skipIf(reason !== undefined)(`[${id}] ${title}${reason ? ` (not available: ${reason})` : ''}`, async () => {
      await using stage = new Stage(name, ca);
      await run(stage);
    });
  }
});
