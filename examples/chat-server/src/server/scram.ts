import { randomBytes, timingSafeEqual } from 'node:crypto';
import { bareOf, type Jid, parseJid } from '../jid.ts';
import { hmac, prepareString, sha256, xor } from '../scram-keys.ts';
import type { CredentialSource, ScramCredential } from './accounts.ts';
import { decodeUtf8, failure, type SaslMechanism, type SaslStep } from './sasl-mechanism.ts';

/** gs2-header, then client-first-message-bare (RFC 5802 §7). An extension `m=` before the name is refused by not fitting. */
const CLIENT_FIRST = /^((n|y|p=([A-Za-z0-9.-]+)),(?:a=([^,]*))?,)(n=([^,]*),r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?)$/s;
/** client-final-message-without-proof, then the proof. */
const CLIENT_FINAL = /^(c=([A-Za-z0-9+/=]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?),p=([A-Za-z0-9+/=]+)$/s;

/** What SCRAM has to know of the connection and of what was offered on it. */
export interface ScramContext {
  readonly domain: string;
  /** Whether the client chose SCRAM-SHA-256-PLUS. */
  readonly plus: boolean;
  /** Whether SCRAM-SHA-256-PLUS was offered. */
  readonly plusOffered: boolean;
  /** Channel binding data of the connection by type, null for a type it does not have (RFC 5056, RFC 9266). */
  readonly channelBinding: (type: string) => Uint8Array | null;
  /** The server's part of the nonce: printable ASCII without a comma. @defaultValue 144 random bits */
  readonly nonce?: string;
}

interface Exchange {
  readonly account: Jid;
  readonly credential: ScramCredential;
  readonly authorization: string;
  readonly channelBindingInput: Buffer;
  readonly nonce: string;
  /** client-first-message-bare and server-first-message, joined by a comma. */
  readonly firstMessages: string;
}

/** SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, server side (RFC 5802, RFC 7677). */
export class ScramServer implements SaslMechanism {
  readonly #accounts: CredentialSource;
  readonly #context: ScramContext;
  #exchange: Exchange | null = null;

  constructor(accounts: CredentialSource, context: ScramContext) {
    this.#accounts = accounts;
    this.#context = context;
  }

  async step(message: Uint8Array): Promise<SaslStep> {
    const text = decodeUtf8(message);
    if (text === null) return failure('malformed-request');
    return this.#exchange === null ? this.#onFirst(text) : this.#onFinal(text, this.#exchange);
  }

  #onFirst(text: string): SaslStep {
    const parts = CLIENT_FIRST.exec(text);
    if (parts === null) return failure('malformed-request');
    const [, header = '', flag = '', bindingType, authorization = '', bare = '', name = '', clientNonce = ''] = parts;
    const input = this.#channelBindingInput(header, flag, bindingType);
    if (input === null) return failure('not-authorized');
    const user = decodeName(name);
    const authorizationName = decodeName(authorization);
    if (user === null || authorizationName === null) return failure('malformed-request');
    const account = parseJid(`${prepareString(user) ?? ''}@${this.#context.domain}`);
    if (account === null || account.resource !== null) return failure('not-authorized');

    const credential = this.#accounts.credentialOf(account);
    const nonce = clientNonce + (this.#context.nonce ?? randomBytes(18).toString('base64'));
    const serverFirst = `r=${nonce},s=${credential.salt.toString('base64')},i=${credential.iterations}`;
    this.#exchange = {
      account,
      credential,
      authorization: authorizationName,
      channelBindingInput: input,
      nonce,
      firstMessages: `${bare},${serverFirst}`,
    };
    return { type: 'challenge', data: Buffer.from(serverFirst) };
  }

  #onFinal(text: string, exchange: Exchange): SaslStep {
    const parts = CLIENT_FINAL.exec(text);
    if (parts === null) return failure('malformed-request');
    const [, withoutProof = '', binding = '', nonce = '', proofText = ''] = parts;
    const { account, credential, authorization, channelBindingInput, firstMessages } = exchange;
    if (nonce !== exchange.nonce || binding !== channelBindingInput.toString('base64')) {
      return failure('not-authorized');
    }
    const authMessage = `${firstMessages},${withoutProof}`;
    const proof = Buffer.from(proofText, 'base64');
    if (proof.length !== credential.storedKey.length) return failure('not-authorized');
    const clientKey = xor(proof, hmac(credential.storedKey, authMessage));
    if (!timingSafeEqual(sha256(clientKey), credential.storedKey)) return failure('not-authorized');
    if (authorization !== '' && authorization !== bareOf(account)) return failure('invalid-authzid');
    const signature = hmac(credential.serverKey, authMessage).toString('base64');
    return { type: 'success', account, data: Buffer.from(`v=${signature}`) };
  }

  /** gs2-header and channel binding data, or null where the flag betrays a downgrade or cannot be met (RFC 5802 §6). */
  #channelBindingInput(header: string, flag: string, type: string | undefined): Buffer | null {
    const { plus, plusOffered, channelBinding } = this.#context;
    if (type === undefined) {
      // `y`: the client would bind, and believes that we cannot.
      if (plus || (flag === 'y' && plusOffered)) return null;
      return Buffer.from(header);
    }
    const data = plus ? channelBinding(type) : null;
    return data === null ? null : Buffer.concat([Buffer.from(header), data]);
  }
}

/** saslname (RFC 5802 §5.1): `=2C` is a comma, `=3D` an equals sign, and no other `=` may be. */
function decodeName(name: string): string | null {
  if (/=(?!2C|3D)/.test(name)) return null;
  return name.replaceAll('=2C', ',').replaceAll('=3D', '=');
}
