import { describe, test } from 'vitest';
import { QuicheEngine } from '../../src/engine/quiche.ts';
import { engineConformance } from './engine-suite.ts';

describe('The quiche engine behind the port', () => {
  for (const { requirement, title, run } of engineConformance(() => new QuicheEngine())) {
    test(`[${requirement}] ${title}`, run);
  }
});
