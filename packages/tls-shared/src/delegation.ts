import { createHash } from 'node:crypto';
import { type Delegation, isIpLiteral, normalizeDomain } from '@stanzaport/core';
import type { Certificate } from './certificate.ts';

/** What is left of the delegations of a question: read, and in force. */
export interface UsableDelegations {
  /** A-labels. */
  readonly names: readonly string[];
  /** What {@link endEntityMatch} and {@link hasPinnedKey} compare. */
  readonly pins: readonly Digest[];
  readonly fingerprints: readonly Digest[];
  /** How many could not be read. */
  readonly unreadable: number;
}

interface Digest {
  readonly hash: 'sha-256' | 'sha-512';
  readonly bytes: Buffer;
}

/** @param nowMs milliseconds since the epoch; a delegation that is past, or does not tell when it ends, is left out. */
export function readDelegations(delegations: readonly Delegation[], nowMs: number): UsableDelegations {
  const names: string[] = [];
  const pins: Digest[] = [];
  const fingerprints: Digest[] = [];
  let unreadable = 0;
  for (const delegation of delegations) {
    if (!(nowMs <= delegation.validUntilMs)) continue;
    if (delegation.form === 'name') unreadable += add(names, readName(delegation.name));
    else if (delegation.form === 'public-key-pin') unreadable += add(pins, readDigest('sha-256', delegation.sha256));
    else if (delegation.form === 'fingerprint') {
      unreadable += add(fingerprints, readDigest(delegation.hash, delegation.digest));
    } else unreadable += 1;
  }
  return { names, pins, fingerprints, unreadable };
}

/**
 * What makes the end-entity certificate good without a path and a name: its fingerprint (RFC 7711) or the pin of its own
 * key. A pin of another key that was presented proves nothing: anybody can append a certificate to a chain.
 * @returns as in `matched` of a verdict, or null.
 */
export function endEntityMatch(endEntity: Certificate, { pins, fingerprints }: UsableDelegations): string | null {
  const fingerprint = fingerprints.find((digest) => isDigestOf(digest, endEntity.der));
  if (fingerprint !== undefined) return `fingerprint:${fingerprint.hash}`;
  return hasPinnedKey([endEntity], pins) ? 'pin:sha-256' : null;
}

/** Whether a key of a validated path is pinned (RFC 7469 §2.6). */
export function hasPinnedKey(path: readonly Certificate[], pins: UsableDelegations['pins']): boolean {
  return pins.some((pin) => path.some(({ subjectPublicKeyInfo }) => isDigestOf(pin, subjectPublicKeyInfo)));
}

const ALGORITHM = { 'sha-256': 'sha256', 'sha-512': 'sha512' } as const;
const BASE64_CHARACTERS = { 'sha-256': 44, 'sha-512': 88 } as const;

function isDigestOf({ hash, bytes }: Digest, content: Uint8Array): boolean {
  return createHash(ALGORITHM[hash]).update(content).digest().equals(bytes);
}

function readName(name: string): string | null {
  const domain = normalizeDomain(name);
  return domain === null || isIpLiteral(domain) ? null : domain;
}

/** Whole base64, with its padding, in the one spelling there is. */
function readDigest(hash: Digest['hash'], text: string): Digest | null {
  const bytes = Buffer.from(text, 'base64');
  return text.length === BASE64_CHARACTERS[hash] && bytes.toString('base64') === text ? { hash, bytes } : null;
}

function add<T>(list: T[], item: T | null): 0 | 1 {
  if (item === null) return 1;
  list.push(item);
  return 0;
}
