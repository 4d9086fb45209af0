import { TransportError } from './errors.ts';

/** What can wait takes a signal; aborting it frees everything and rejects with `XMPP_ABORTED`. */
export interface Cancellable {
  readonly signal?: AbortSignal;
}

/**
 * What `work` comes to, unless the caller stops waiting first: the work itself goes on.
 * @param what names it in the error, for example `connecting to a.example`.
 * @throws TransportError `XMPP_ABORTED` as soon as the signal says so.
 */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined, what: string): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(new TransportError('XMPP_ABORTED', `${what} was aborted`));
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
