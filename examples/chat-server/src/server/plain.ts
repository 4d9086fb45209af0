import { timingSafeEqual } from 'node:crypto';
import { bareOf, parseJid } from '../jid.ts';
import { deriveScramKeys, prepareString } from '../scram-keys.ts';
import type { CredentialSource } from './accounts.ts';
import { decodeUtf8, failure, type SaslMechanism, type SaslStep } from './sasl-mechanism.ts';

/** PLAIN (RFC 4616). The stream is always secured already, so that it may be offered. */
export class PlainServer implements SaslMechanism {
  readonly #accounts: CredentialSource;
  readonly #domain: string;

  constructor(accounts: CredentialSource, domain: string) {
    this.#accounts = accounts;
    this.#domain = domain;
  }

  async step(message: Uint8Array): Promise<SaslStep> {
    const [authorization, user, password, ...rest] = decodeUtf8(message)?.split('\0') ?? [];
    if (authorization === undefined || !user || !password || rest.length > 0) return failure('malformed-request');
    const jid = parseJid(`${user}@${this.#domain}`);
    if (jid === null || jid.resource !== null || prepareString(password) === null) return failure('not-authorized');
    const credential = this.#accounts.credentialOf(jid);
    const { storedKey } = await deriveScramKeys(password, credential.salt, credential.iterations);
    if (!timingSafeEqual(storedKey, credential.storedKey)) return failure('not-authorized');
    if (authorization !== '' && authorization !== bareOf(jid)) return failure('invalid-authzid');
    return { type: 'success', account: jid, data: null };
  }
}
