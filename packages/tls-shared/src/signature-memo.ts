import type { Certificate } from './certificate.ts';
import { latin1 } from './der.ts';

/**
 * What signatures were found to be, for the length of one verdict. The search for a path comes by the same ones again and
 * again, and a peer can present certificates that make it do so.
 */
export class SignatureMemo {
  readonly #found = new WeakMap<object, Map<string, boolean>>();

  /** Whether `signed` is by the key of `signer`: what `check` says, the first time that it is asked. */
  isBy(signed: object, { subjectPublicKeyInfo }: Certificate, check: () => boolean): boolean {
    const byKey = this.#found.get(signed) ?? new Map<string, boolean>();
    this.#found.set(signed, byKey);
    const key = latin1(subjectPublicKeyInfo);
    const found = byKey.get(key) ?? check();
    byKey.set(key, found);
    return found;
  }
}
