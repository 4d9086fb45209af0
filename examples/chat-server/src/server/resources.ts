import type { Resource } from './resource.ts';

/** Resources that one account may have connected at once. */
const MOST_PER_ACCOUNT = 16;

/** Everybody who is connected. */
export class Resources {
  readonly #accounts = new Map<string, Map<string, Resource>>();

  /** @returns the resource that had this address before, or null; `'full'` when the account has too many already. */
  bind(resource: Resource): Resource | null | 'full' {
    const others = this.#accounts.get(resource.bare) ?? new Map<string, Resource>();
    const replaced = others.get(resource.name) ?? null;
    if (replaced === null && others.size >= MOST_PER_ACCOUNT) return 'full';
    others.set(resource.name, resource);
    this.#accounts.set(resource.bare, others);
    return replaced;
  }

  /** Does nothing when another stream has taken the address meanwhile. */
  unbind(resource: Resource): void {
    const others = this.#accounts.get(resource.bare);
    if (others?.get(resource.name) !== resource) return;
    others.delete(resource.name);
    if (others.size === 0) this.#accounts.delete(resource.bare);
  }

  find(bare: string, name: string): Resource | null {
    return this.#accounts.get(bare)?.get(name) ?? null;
  }

  available(bare: string): Resource[] {
    return [...(this.#accounts.get(bare)?.values() ?? [])].filter((resource) => resource.presence !== null);
  }
}
