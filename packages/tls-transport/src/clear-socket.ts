import type { Socket } from 'node:net';
import type { TransportError } from '@stanzaport/core';
import type { ClearAgreement, ClearStep } from './starttls/clear-step.ts';

/** How the clear-text part came out. */
export interface ClearOutcome {
  /** TLS is to begin in this very call: not a byte may be read in between. */
  onAgreed(agreed: ClearAgreement): void;
  /** What was still to be said has been handed to the socket, whose writing half is ended. */
  onRefused(error: TransportError): void;
}

/**
 * Drives the clear-text part of STARTTLS over a TCP socket, to its end: afterwards the socket has no reader, and nothing
 * that was read before is left over anywhere.
 */
export function negotiateInClear(tcp: Socket, receive: (bytes: Uint8Array) => ClearStep, outcome: ClearOutcome): void {
  const leave = (): void => {
    tcp.pause();
    tcp.off('data', onData);
  };
  const onData = (bytes: Buffer): void => {
    const step = receive(bytes);
    if (step.type === 'wait') {
      if (step.text !== '') tcp.write(step.text);
      return;
    }
    leave();
    if (step.type === 'secure') {
      if (step.text !== '') tcp.write(step.text);
      outcome.onAgreed(step.agreed);
      return;
    }
    if (step.text === '') tcp.destroy();
    else tcp.end(step.text);
    // What is not read would turn the end of the socket into a reset, which can outrun our last words.
    tcp.on('data', () => undefined);
    tcp.resume();
    outcome.onRefused(step.error);
  };
  tcp.on('data', onData);
}
