/** A config file that cannot be used. The message begins with the field at fault, where it is one. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}
