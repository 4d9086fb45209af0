import { TransportError } from './errors.ts';

/** The urgency of a stream that says nothing else (RFC 9218 §4.1). */
export const DEFAULT_URGENCY = 3;

/** RFC 9218 §4.1: 0 is the highest priority, 7 the lowest. */
const LEAST_URGENT = 7;

/**
 * Gives `urgency` back.
 * @throws TransportError `XMPP_BAD_OPTION` when it is no whole number from 0 to 7.
 */
export function checkUrgency(urgency: number): number {
  if (Number.isInteger(urgency) && urgency >= 0 && urgency <= LEAST_URGENT) return urgency;
  throw new TransportError('XMPP_BAD_OPTION', `urgency: ${urgency} is not a whole number from 0 to ${LEAST_URGENT}`);
}
