import type { Logger } from './logger.ts';

/**
 * A child of `logger` that comes to be with its first record: making one takes microseconds and half a kilobyte, and nearly
 * every connection and stream ends without a record that anybody wants.
 */
export function childLogger(logger: Logger, bindings: Record<string, unknown>): Logger {
  return new ChildLogger(logger, bindings);
}

type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error';

class ChildLogger implements Logger {
  readonly #parent: Logger;
  readonly #bindings: Record<string, unknown>;
  #child: Logger | null = null;

  constructor(parent: Logger, bindings: Record<string, unknown>) {
    this.#parent = parent;
    this.#bindings = bindings;
  }

  trace(fields: object | string, message?: string): void {
    this.#write('trace', fields, message);
  }

  debug(fields: object | string, message?: string): void {
    this.#write('debug', fields, message);
  }

  info(fields: object | string, message?: string): void {
    this.#write('info', fields, message);
  }

  warn(fields: object | string, message?: string): void {
    this.#write('warn', fields, message);
  }

  error(fields: object | string, message?: string): void {
    this.#write('error', fields, message);
  }

  child(bindings: Record<string, unknown>): Logger {
    return childLogger(this, bindings);
  }

  isLevelEnabled(level: string): boolean {
    return (this.#child ?? this.#parent).isLevelEnabled(level);
  }

  /** Of a child's parent: it is made by the logger that writes. */
  #made(): Logger {
    const parent = this.#parent instanceof ChildLogger ? this.#parent.#made() : this.#parent;
    this.#child ??= parent.child(this.#bindings);
    return this.#child;
  }

  #write(level: Level, fields: object | string, message: string | undefined): void {
    if (!this.isLevelEnabled(level)) return;
    const child = this.#made();
    if (typeof fields === 'string') child[level](fields);
    else child[level](fields, message ?? '');
  }
}
