/** Which step of a login failed. */
export type LoginStage = 'features' | 'authentication' | 'binding';

/** The server refused a login, or did not keep to the rules. */
export class LoginError extends Error {
  override readonly name = 'LoginError';
  readonly stage: LoginStage;
  /** The condition the server named (RFC 6120 §6.5, §8.3.3), or null. */
  readonly condition: string | null;

  constructor(stage: LoginStage, condition: string | null, message: string) {
    super(message);
    this.stage = stage;
    this.condition = condition;
  }
}

/** A request was answered by an error (RFC 6120 §8.3). */
export class StanzaError extends Error {
  override readonly name = 'StanzaError';
  readonly condition: string;

  constructor(condition: string) {
    super(`the answer is ${condition}`);
    this.condition = condition;
  }
}
