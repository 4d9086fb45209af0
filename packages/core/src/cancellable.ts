/** What can wait takes a signal; aborting it frees everything and rejects with `XMPP_ABORTED`. */
export interface Cancellable {
  readonly signal?: AbortSignal;
}
