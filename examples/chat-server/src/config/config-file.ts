import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Config, parseConfig } from './config.ts';
import { ConfigError } from './config-error.ts';
import { Field } from './fields.ts';

/**
 * Reads a config file, JSON in UTF-8. Relative paths in it start from its own folder.
 * @throws ConfigError naming the file, and the field where it is one.
 */
export function readConfig(path: string): Config {
  try {
    return parseConfig(new Field(parseJson(readText(path))), dirname(path));
  } catch (thrown) {
    throw thrown instanceof ConfigError ? new ConfigError(`${path}: ${thrown.message}`, { cause: thrown }) : thrown;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ConfigError('the file is missing, or must not be read', { cause });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ConfigError(`the file is no JSON: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}
