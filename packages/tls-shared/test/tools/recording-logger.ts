import { type LogFunction, type Logger, silentLogger } from '@stanzaport/core';

export interface LogRecord {
  readonly level: string;
  readonly fields: object;
  readonly message: string;
}

/** A logger that keeps warnings and errors. */
export function recordingLogger(): { readonly logger: Logger; readonly records: readonly LogRecord[] } {
  const records: LogRecord[] = [];
  const recorder =
    (level: string): LogFunction =>
    (first: object | string, message?: string) => {
      const fields = typeof first === 'string' ? {} : first;
      records.push({ level, fields, message: typeof first === 'string' ? first : (message ?? '') });
    };
  return { logger: { ...silentLogger, warn: recorder('warn'), error: recorder('error') }, records };
}
