import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../packages/core/src/limits.ts';
import { DEFAULT_QUIC_OPTIONS } from '../packages/quic-transport/src/options.ts';
import { DEFAULT_TLS_TRANSPORT_OPTIONS } from '../packages/tls-transport/src/options.ts';

const page = readFileSync(new URL('../docs/limits.md', import.meta.url), 'utf8');

/** The first two columns of every table row under a heading. */
function tableUnder(heading: string): Record<string, number> {
  const section = page.split(/^## /m).find((text) => text.startsWith(heading)) ?? '';
  const rows = [...section.matchAll(/^\| `(\w+)` \| ([\d,]+) \|/gm)];
  return Object.fromEntries(rows.map(([, name, value]) => [name, Number(value?.replaceAll(',', ''))]));
}

describe('docs/limits.md tells the defaults of the code', () => {
  test('[XML-16] of every transport', () => {
    expect(tableUnder('Of every transport')).toEqual(DEFAULT_LIMITS);
  });

  test('[XML-16] of the QUIC transport', () => {
    const numbers = Object.entries(DEFAULT_QUIC_OPTIONS).filter(([, value]) => typeof value === 'number');
    expect(tableUnder('Of the QUIC transport')).toEqual(Object.fromEntries(numbers));
  });

  test('[XML-16] of the transports over TLS', () => {
    const numbers = Object.entries(DEFAULT_TLS_TRANSPORT_OPTIONS).filter(([, value]) => typeof value === 'number');
    expect(tableUnder('Of Direct TLS and STARTTLS')).toEqual(Object.fromEntries(numbers));
  });
});
