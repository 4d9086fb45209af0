import type { EnginePath } from '../engine/port.ts';

/**
 * The path every engine connection is told it has, for its whole life. The real addresses are the endpoint's: an engine
 * that never sees a second path cannot be led into the endless loop of CVE-2025-7054, and runs out of no path slots
 * (`docs/decisions/0004-virtual-peer-address.md`). Both are documentation addresses (RFC 5737).
 */
export const VIRTUAL_PATH: EnginePath = Object.freeze({
  local: Object.freeze({ host: '192.0.2.2', port: 2 }),
  remote: Object.freeze({ host: '192.0.2.1', port: 1 }),
});
