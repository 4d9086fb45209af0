import { constructedTag, DerError, DerReader, readWhole, TAG } from './der.ts';
import { readDistinguishedName } from './distinguished-name.ts';
import { type GeneralName, readGeneralName } from './general-name.ts';
import { isMailboxWithin, isUriWithin } from './host-constraints.ts';
import { type DomainPattern, parseDnsName, parseSrvName, parseXmppDomain, patternText } from './name-pattern.ts';

/** The name constraints of a CA (RFC 5280 §4.2.1.10). */
export interface NameConstraints {
  readonly permitted: readonly GeneralName[];
  readonly excluded: readonly GeneralName[];
}

/** @throws DerError also for minimum and maximum, which RFC 5280 does not allow. */
export function readNameConstraints(value: Uint8Array): NameConstraints {
  const reader = readWhole(value, TAG.sequence);
  const permitted = readSubtrees(reader, 0);
  const excluded = readSubtrees(reader, 1);
  reader.end();
  if (permitted.length + excluded.length === 0) throw new DerError('Name constraints without a subtree');
  return { permitted, excluded };
}

/**
 * Whether all `names` of a certificate are within the constraints. It leans to no: a name that cannot be judged, or
 * a constraint on its form that cannot be processed, counts as outside (RFC 5280 §4.2.1.10).
 */
export function areWithin(names: readonly GeneralName[], { permitted, excluded }: NameConstraints): boolean {
  return names.every((name) => {
    const applying = permitted.filter((constraint) => appliesTo(constraint, name));
    const forms = new Set(applying.map((constraint) => constraint.form));
    return (
      [...forms].every((form) => applying.some((given) => given.form === form && includes(given, name))) &&
      !excluded.some((constraint) => appliesTo(constraint, name) && mayOverlap(constraint, name))
    );
  });
}

function readSubtrees(reader: DerReader, number: number): readonly GeneralName[] {
  const subtrees = reader.optional(constructedTag(number));
  if (subtrees === null) return [];
  return new DerReader(subtrees.content).all((list) => {
    const subtree = list.enter(TAG.sequence);
    const base = readGeneralName(subtree);
    subtree.end();
    return base;
  });
}

/**
 * Constraints on dNSNames hold for SRVNames and XmppAddrs too, as these also name DNS domains: else a CA that is
 * confined to one domain could vouch for any other by writing it in another form.
 */
function appliesTo(constraint: GeneralName, name: GeneralName): boolean {
  return constraint.form === name.form || (constraint.form === 'dns' && (name.form === 'srv' || name.form === 'xmpp'));
}

/** Whether all that `name` stands for is in the subtree. */
function includes(constraint: GeneralName, name: GeneralName): boolean {
  switch (constraint.form) {
    case 'dns':
    case 'srv': {
      const subtree = domainSubtree(constraint);
      const pattern = domainOf(name);
      return (
        subtree !== null && pattern !== null && sameService(subtree, name) && covers(subtree, patternText(pattern))
      );
    }
    case 'ip':
      return name.form === 'ip' && isInNetwork(constraint.bytes, name.bytes) === true;
    case 'directory':
      return name.form === 'directory' && isBelow(constraint.bytes, name.bytes);
    case 'email':
      return name.form === 'email' && isMailboxWithin(constraint.text, name.text) === true;
    case 'uri':
      return name.form === 'uri' && isUriWithin(constraint.text, name.text) === true;
    default:
      return false;
  }
}

/** Whether something that `name` stands for can be in the subtree. */
function mayOverlap(constraint: GeneralName, name: GeneralName): boolean {
  switch (constraint.form) {
    case 'dns':
    case 'srv': {
      const subtree = domainSubtree(constraint);
      const pattern = domainOf(name);
      if (subtree === null || pattern === null) return true;
      // Excluding `.a.example` is taken to exclude a.example as well.
      const whole = { ...subtree, below: false };
      const reached = pattern.wildcard && parentOf(subtree.domain) === pattern.domain;
      return sameService(subtree, name) && (reached || covers(whole, patternText(pattern)));
    }
    case 'ip':
      return name.form !== 'ip' || isInNetwork(constraint.bytes, name.bytes) !== false;
    case 'directory':
      return name.form !== 'directory' || mayBeBelow(constraint.bytes, name.bytes);
    case 'email':
      return name.form !== 'email' || isMailboxWithin(constraint.text, name.text) !== false;
    case 'uri':
      return name.form !== 'uri' || isUriWithin(constraint.text, name.text) !== false;
    default:
      return true;
  }
}

interface DomainSubtree {
  /** Null where any service is meant. */
  readonly service: string | null;
  /** Empty for all domains. */
  readonly domain: string;
  /** Only domains below `domain`: the leading dot, not in RFC 5280 but in use. */
  readonly below: boolean;
}

/** A dNSName subtree, or an SRVName subtree: a service, a domain, or both (RFC 4985 §4). */
function domainSubtree(constraint: GeneralName & { readonly form: 'dns' | 'srv' }): DomainSubtree | null {
  const lowered = constraint.text.toLowerCase();
  const hasService = constraint.form === 'srv' && lowered.startsWith('_');
  const [service = '', ...labels] = hasService ? lowered.split('.') : [];
  const rest = hasService ? labels.join('.') : lowered;
  const below = rest.startsWith('.');
  const domain = below ? rest.slice(1) : rest;
  if (domain === '' ? below : parseDnsName(domain)?.wildcard !== false) return null;
  return { service: hasService ? service : null, domain, below };
}

function domainOf(name: GeneralName): DomainPattern | null {
  switch (name.form) {
    case 'dns':
      return parseDnsName(name.text);
    case 'srv':
      return parseSrvName(name.text);
    case 'xmpp': {
      const domain = parseXmppDomain(name.text);
      return domain === null ? null : { wildcard: false, domain };
    }
    default:
      return null;
  }
}

function sameService({ service }: DomainSubtree, name: GeneralName): boolean {
  return service === null || (name.form === 'srv' && parseSrvName(name.text)?.service === service);
}

function covers({ domain, below }: DomainSubtree, text: string): boolean {
  return domain === '' || text.endsWith(`.${domain}`) || (!below && text === domain);
}

const parentOf = (domain: string): string => domain.slice(domain.indexOf('.') + 1);

/** Null where the constraint is no address with a prefix mask, or the name no address. */
function isInNetwork(network: Uint8Array, address: Uint8Array): boolean | null {
  const length = network.length / 2;
  if ((length !== 4 && length !== 16) || (address.length !== 4 && address.length !== 16)) return null;
  const mask = network.subarray(length);
  const bits = [...mask].map((octet) => octet.toString(2).padStart(8, '0')).join('');
  if (!/^1*0*$/.test(bits)) return null;
  if (address.length !== length) return false;
  return address.every((octet, index) => ((octet ^ (network[index] ?? 0)) & (mask[index] ?? 0)) === 0);
}

/** Whether the relative names of `base` are the first ones of `name`. */
function isBelow(base: Uint8Array, name: Uint8Array): boolean {
  const names = readDistinguishedName(name);
  return readDistinguishedName(base).every(({ text }, index) => names[index]?.text === text);
}

/** Whether they may be, spelt in another way. */
function mayBeBelow(base: Uint8Array, name: Uint8Array): boolean {
  const names = readDistinguishedName(name);
  return readDistinguishedName(base).every(({ text, certain }, index) => {
    const found = names[index];
    return found !== undefined && (found.text === text || !(certain && found.certain));
  });
}
