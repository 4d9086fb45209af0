// The kit under Node's own runner, on the built packages, as an author of a transport would use it.
import test from 'node:test';
import { memoryConformance, transportConformance } from '@stanzaport/testing';

for (const { requirement, title, skip, run } of transportConformance(memoryConformance)) {
  test(`[${requirement}] ${title}`, { skip: skip ?? false }, ({ signal }) => run(signal));
}
