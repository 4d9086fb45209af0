import { normalizeDomain } from '@stanzaport/core';
import { ConfigError } from './config-error.ts';

/** One value of a config file, and where in the file it is. */
export class Field {
  /** Such as `listen[0].port`; empty for the whole file. */
  readonly path: string;
  readonly #value: unknown;

  constructor(value: unknown, path = '') {
    this.#value = value;
    this.path = path;
  }

  get isAbsent(): boolean {
    return this.#value === undefined;
  }

  fail(why: string): never {
    throw new ConfigError(this.path === '' ? why : `${this.path}: ${why}`);
  }

  /** The fields of an object that has no others. */
  object<Name extends string>(names: readonly Name[]): Readonly<Record<Name, Field>> {
    for (const [name, field] of this.entries()) {
      if (!(names as readonly string[]).includes(name)) field.fail(`there is no such field, only ${names.join(', ')}`);
    }
    const values = this.#asObject();
    const fields = names.map((name) => [name, new Field(values[name], this.#inside(name))]);
    return Object.fromEntries(fields);
  }

  /** The fields of an object whose names are the user's. */
  entries(): readonly (readonly [name: string, field: Field])[] {
    return Object.entries(this.#asObject()).map(([name, value]) => [name, new Field(value, this.#inside(name))]);
  }

  list(): readonly Field[] {
    if (!Array.isArray(this.#value) || this.#value.length === 0) this.fail(`${this.#shown()} is no list, or empty`);
    return this.#value.map((item: unknown, index) => new Field(item, `${this.path}[${index}]`));
  }

  text(): string {
    if (typeof this.#value !== 'string' || this.#value === '') this.fail(`${this.#shown()} is no text, or empty`);
    return this.#value;
  }

  choice<Choice extends string>(choices: readonly Choice[]): Choice {
    const found = choices.find((choice) => choice === this.#value);
    return found ?? this.fail(`${this.#shown()} is none of ${choices.join(', ')}`);
  }

  /** @param least 0 where the system may choose. */
  port(least: 0 | 1): number {
    const value = this.#value;
    if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= 65_535) return value;
    return this.fail(`${this.#shown()} is no port, which is a whole number from ${least} to 65535`);
  }

  /** In A-labels. */
  domain(): string {
    return normalizeDomain(this.text()) ?? this.fail(`${this.#shown()} is no domain`);
  }

  /** The name of this field, where it is a domain: in A-labels. */
  nameAsDomain(name: string): string {
    return normalizeDomain(name) ?? this.fail(`'${name}' is no domain`);
  }

  #asObject(): Readonly<Record<string, unknown>> {
    const value = this.#value;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) this.fail(`${this.#shown()} is no object`);
    return value as Readonly<Record<string, unknown>>;
  }

  #inside(name: string): string {
    const plain = /^[\w-]+$/.test(name);
    if (this.path === '') return plain ? name : JSON.stringify(name);
    return plain ? `${this.path}.${name}` : `${this.path}[${JSON.stringify(name)}]`;
  }

  #shown(): string {
    return this.#value === undefined ? 'what is missing' : JSON.stringify(this.#value);
  }
}
