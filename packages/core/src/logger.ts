/** Writes one record: fields first, then a constant sentence. The shape of a pino log method. */
export interface LogFunction {
  (fields: object, message: string): void;
  (message: string): void;
}

/**
 * The part of a pino logger this library uses; any pino instance fits. Records of a connection carry
 * `connectionId`, `transport` and `remote`, those of a stanza stream also `streamId`. No stanza text, SASL payload,
 * key or ticket is ever given to it.
 */
export interface Logger {
  readonly trace: LogFunction;
  readonly debug: LogFunction;
  readonly info: LogFunction;
  readonly warn: LogFunction;
  readonly error: LogFunction;
  /** Has the level of its parent: it is made only when a record of it is to be written. */
  child(bindings: Record<string, unknown>): Logger;
  isLevelEnabled(level: string): boolean;
}

const silent = (): void => undefined;

/** Discards everything; used where no logger is bound. */
export const silentLogger: Logger = Object.freeze({
  trace: silent,
  debug: silent,
  info: silent,
  warn: silent,
  error: silent,
  child: () => silentLogger,
  isLevelEnabled: () => false,
});
