import { transportConformance } from '@stanzaport/testing';
import { describe, test } from 'vitest';
import { toySetup } from './toy-setup.ts';

describe('the toy transport passes the conformance kit', () => {
  for (const { requirement, title, skip, run } of transportConformance(toySetup)) {
    const reason = skip === undefined ? '' : ` (not offered: ${skip})`;
    test.skipIf(skip !== undefined)(`[${requirement}] ${title}${reason}`, ({ signal }) => run(signal));
  }
});
