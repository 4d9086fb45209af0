import assert from 'node:assert/strict';
import { ERROR_CATEGORIES, type ErrorCategory, type StanzaStream, type TransportError } from '@stanzaport/core';
import type { Ending } from './collector.ts';

/** Checks that `thrown` is an error of this library, whose code and category are in the table and belong together. */
export function assertTyped(thrown: unknown): TransportError {
  assert.ok(thrown instanceof Error, `${String(thrown)} is no error`);
  const error = thrown as TransportError;
  assert.ok(Object.hasOwn(ERROR_CATEGORIES, error.code), `${error.name} has no code of the table: ${error.message}`);
  assert.equal(error.category, ERROR_CATEGORIES[error.code], `the category of ${error.code}`);
  return error;
}

/** Checks that `thrown` is a typed error of one of these categories. */
export function assertCategory(thrown: unknown, ...categories: readonly ErrorCategory[]): TransportError {
  const error = assertTyped(thrown);
  const expected = categories.join(' or ');
  assert.ok(categories.includes(error.category), `${error.code} '${error.message}' came instead of ${expected}`);
  return error;
}

/** Checks that `promise` rejects with a typed error of one of these categories. */
export async function assertFails(
  promise: Promise<unknown>,
  ...categories: readonly ErrorCategory[]
): Promise<TransportError> {
  let error: unknown;
  try {
    await promise;
  } catch (thrown) {
    error = thrown;
  }
  assert.ok(error !== undefined, `nothing failed, where ${categories.join(' or ')} was due`);
  return assertCategory(error, ...categories);
}

/** Checks that an observable ended with a typed error of one of these categories. */
export function assertErrored(ending: Ending, ...categories: readonly ErrorCategory[]): TransportError {
  assert.ok(ending.type === 'error', `the observable completed, where ${categories.join(' or ')} was due`);
  return assertCategory(ending.error, ...categories);
}

/** Checks the reason a stream gives for its end. */
export async function assertClosed(
  closed: StanzaStream['closed'],
  expected: { readonly clean: boolean; readonly by?: 'local' | 'peer'; readonly categories?: readonly ErrorCategory[] },
): Promise<void> {
  const reason = await closed;
  assert.equal(reason.clean, expected.clean, `clean: ${reason.error?.message ?? 'no error'}`);
  if (expected.by !== undefined) assert.equal(reason.by, expected.by, 'who ended it');
  if (expected.categories !== undefined) assertCategory(reason.error, ...expected.categories);
}
